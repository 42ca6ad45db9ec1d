/** This file owns which of Kubernetes' types a manifest must have. */

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  [field: string]: unknown;
}

/** The module of `kubernetes-types` that holds an API version. */
const MODULES: Readonly<Record<string, string>> = {
  v1: 'core/v1',
  'apps/v1': 'apps/v1',
  'policy/v1': 'policy/v1',
  'networking.k8s.io/v1': 'networking/v1',
};

export function typesOf({ apiVersion, kind }: Manifest): string {
  const types = MODULES[apiVersion];
  if (!types) throw new Error(`no types are known for ${apiVersion} ${kind}`);
  return types;
}
