/**
 * Owns GET /v1/models and /v1/models/:id. One model is served; `default` is another name for it.
 */
import type { FastifyInstance } from 'fastify';
import type { Engine } from '../../runtime/index.ts';
import { ApiError } from './errors.ts';

export function isServedModel(engine: Engine, id: string): boolean {
  return id === engine.info.modelName || id === 'default';
}

export function addModelRoutes(app: FastifyInstance, engine: Engine): void {
  const model = { id: engine.info.modelName, object: 'model', created: Math.floor(Date.now() / 1000), owned_by: 'inward' };
  app.get('/v1/models', () => ({ object: 'list', data: [model] }));
  app.get<{ Params: { id: string } }>('/v1/models/:id', (request) => {
    if (!isServedModel(engine, request.params.id)) throw new ApiError('model_not_found', { path: 'model', model: model.id });
    return model;
  });
}
