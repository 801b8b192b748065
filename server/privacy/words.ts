/**
 * Owns the closed vocabularies of agreements, keys and people: purposes, roles and what each may do, scopes of routes,
 * and the forms of identifiers. Refuses free text: what is not in a list or does not fit a form cannot be stored,
 * logged or sent back, so that none of it can carry what a patient or a clinician wrote.
 */

/** Why a request is made; an agreement permits some, a key is given some of those. `evaluation` goes with synthetic data only. */
export const purposes = [
  'documentation',
  'prior-authorization',
  'messaging',
  'summarization',
  'coding',
  'utilization-review',
  'decision-support',
  'quality',
  'operations',
  'evaluation',
] as const;
export type Purpose = (typeof purposes)[number];

/** What a key may ask for; everything else of the server is for people. */
export const routeScopes = ['chat', 'completions', 'models', 'metrics'] as const;
export type RouteScope = (typeof routeScopes)[number];

/** Every route of the server as it is registered; what is no route is `(unknown)`. */
export const routePatterns = [
  '/v1/chat/completions',
  '/v1/chat/completions/render',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/v1/responses',
  '/v1/models',
  '/v1/models/:id',
  '/tokenize',
  '/detokenize',
  '/tokenizer_info',
  '/v1/deidentify',
  '/inward/status',
  '/inward/review',
  '/health',
  '/ready',
  '/metrics',
  '/openapi.json',
  '/docs',
] as const;
export type RoutePattern = (typeof routePatterns)[number] | '(unknown)';

/** What a person may do. */
export const permissions = [
  'key.write',
  'key.revoke',
  'key.read',
  'person.write',
  'person.read',
  'tenant.write',
  'agreement.write',
  'agreement.read',
  'manifest.write',
  'store.write',
  'metrics.read',
  'status.read',
  'review.read',
  'audit.read',
  'audit.write',
] as const;
export type Permission = (typeof permissions)[number];

export const roles = ['admin', 'compliance', 'operator', 'auditor', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** Who gives access does not decide what is agreed, and who reviews changes nothing. */
export const rolePermissions: Readonly<Record<Role, readonly Permission[]>> = {
  admin: ['key.write', 'key.revoke', 'key.read', 'person.write', 'person.read', 'tenant.write', 'store.write', 'agreement.read', 'metrics.read', 'status.read'],
  compliance: [
    'agreement.write',
    'agreement.read',
    'manifest.write',
    'key.revoke',
    'key.read',
    'person.read',
    'review.read',
    'status.read',
    'audit.read',
    'audit.write',
  ],
  operator: ['key.revoke', 'key.read', 'agreement.read', 'metrics.read', 'status.read'],
  auditor: ['key.read', 'person.read', 'agreement.read', 'metrics.read', 'status.read', 'review.read', 'audit.read'],
  viewer: ['agreement.read', 'status.read'],
};

/** Roles that no person has together (separation of duties). */
export const conflictingRoles: readonly (readonly [Role, Role])[] = [
  ['admin', 'compliance'],
  ['admin', 'auditor'],
  ['operator', 'compliance'],
  ['operator', 'auditor'],
];

/** Whether requests may hold PHI. A synthetic agreement admits keys for synthetic data only, every other one keys for PHI only. */
export const dataClasses = ['phi', 'synthetic'] as const;
export type DataClass = (typeof dataClasses)[number];

/** How answers leave: at once, or at a fixed cadence in sizes of a grid, so that who watches the wire cannot tell what they are about. */
export const answerShapes = ['paced', 'plain'] as const;
export type AnswerShape = (typeof answerShapes)[number];

/**
 * What is done with identifiers in requests of a key: nothing; counted; replaced by tags, in the answer too; replaced by tags or by surrogates, and put
 * back into the answer; refused.
 */
export const deidModes = ['off', 'report', 'deidentify', 'deidentify+restore', 'surrogate+restore', 'block'] as const;
export type DeidMode = (typeof deidModes)[number];

/** How a holder is known: by a secret of ours, a token of the identity provider or a client certificate. */
export const credentialTypes = ['secret', 'token', 'certificate'] as const;
export type CredentialType = (typeof credentialTypes)[number];

/** The most urgent class that a key's requests may have. */
export const priorityClasses = ['interactive', 'batch'] as const;
export type PriorityClass = (typeof priorityClasses)[number];

type FormName =
  | 'code'
  | 'region'
  | 'agreementId'
  | 'manifestId'
  | 'keyId'
  | 'personId'
  | 'publicKeyId'
  | 'uuid'
  | 'sha256'
  | 'name'
  | 'model'
  | 'claim'
  | 'tokenId';

/** Forms of identifiers. None of them has room for a sentence. */
export const forms: Readonly<Record<FormName, RegExp>> = {
  /** Code of a department, a site or a label: `cardiology`. */
  code: /^[a-z][a-z0-9]*(?:-[a-z0-9]+){0,7}$/,
  /** `us-east`, `de-by`, `on-prem-1`. */
  region: /^[a-z]{2,8}(?:-[a-z0-9]{1,12}){0,4}$/,
  agreementId: /^agr-[a-z0-9]{8,32}$/,
  manifestId: /^mf-[a-z0-9]{8,32}$/,
  keyId: /^[0-9a-hjkmnp-tv-z]{10}$/,
  /** A pseudonymous id of staff. */
  personId: /^[a-z0-9][a-z0-9._-]{1,47}$/,
  /** An Ed25519 public key by the hash of its SPKI form. */
  publicKeyId: /^ck-[0-9a-f]{16}$/,
  sha256: /^[0-9a-f]{64}$/,
  /** In small letters: of requests, starts of a machine and its firmware. */
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  /** Legal names, titles, ids of organisations: letters, digits and the punctuation that they have. */
  name: /^[\p{L}\p{N}](?:[\p{L}\p{N} .,&'()/-]{0,118}[\p{L}\p{N}.)])?$/u,
  /** A model as the server names it. */
  model: /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,119}$/,
  /** `issuer` and `subject` of a token: printable ASCII without blanks. */
  claim: /^[\x21-\x7e]{1,200}$/,
  /** `jti` of a token, as providers make them: a UUID or random bytes in base64url, behind a name of their kind or not. */
  tokenId: /^[A-Za-z0-9_-][A-Za-z0-9_.:-]{15,63}$/,
};

/** Longest code, so that columns can be bounded. */
export const codeLimit = 40;
