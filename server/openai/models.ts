/**
 * Owns GET /v1/models and /v1/models/:id. One model is served; `default` is another name for it.
 */
import type { FastifyInstance } from 'fastify';
import type { Engine } from '../../runtime/index.ts';
import { ApiError } from './errors.ts';
import { demandModels, type ModelSource, type Models } from './plan.ts';

/** Throws ApiError unless the engine has that model. */
export function demandServed({ info: { modelName: model } }: Engine, id: string): void {
  if (id !== model && id !== 'default') throw new ApiError('model_not_found', { path: 'model', model });
}

export function addModelRoutes(app: FastifyInstance, models: ModelSource): void {
  const created = Math.floor(Date.now() / 1000);
  const describe = ({ engine }: Models): object => ({ id: engine.info.modelName, object: 'model', created, owned_by: 'inward' });
  app.get('/v1/models', ({ admission }) => {
    const loaded = demandModels(models);
    admission?.granted?.checkModel(loaded.engine.info.modelName);
    return { object: 'list', data: [describe(loaded)] };
  });
  app.get<{ Params: { id: string } }>('/v1/models/:id', (request) => {
    const loaded = demandModels(models);
    demandServed(loaded.engine, request.params.id);
    request.admission?.granted?.checkModel(loaded.engine.info.modelName);
    return describe(loaded);
  });
}
