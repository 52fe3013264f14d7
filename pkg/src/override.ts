/** Puts a layer beneath the one that is being made. */
export interface Builder<T> {
  override(functions: Override<T>): Builder<T>;
}

/** Makes a layer: some functions anew, which may call those of `original`, the layer below. */
export type Override<T> = (original: T, builder: Builder<T>) => T;

/** `original` with a layer on it. In every layer `this` is the topmost. */
export function layered<T extends object>(original: T, override: Override<T> | undefined): T {
  const top = {} as T;
  return Object.assign(top, layer(original, override, top));
}

function layer<T extends object>(below: T, override: Override<T> | undefined, top: T): T {
  if (!override) return below;
  let under = below;
  const call =
    (name: string) =>
    (...args: unknown[]) =>
      (under as Record<string, (...args: unknown[]) => unknown>)[name]?.apply(top, args);
  const view = Object.fromEntries(Object.keys(below).map((name) => [name, call(name)])) as T;
  const builder: Builder<T> = {
    override(functions) {
      under = layer(under, functions, top);
      return builder;
    },
  };
  // An override that forgot to spread `original` has not meant to remove the rest.
  return { ...view, ...override(view, builder) };
}
