/**
 * Lets code compiled to ES5 extend the class: its subclasses call their base class without `new`,
 * as those in `supertokens-web-js` and `supertokens-auth-react` do with ours.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any class
export function callable<C extends new (...args: any[]) => object>(base: C): C {
  return new Proxy(base, {
    apply: (_, self, args) => Reflect.construct(base, args, self?.constructor) as object,
  });
}
