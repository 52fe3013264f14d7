/**
 * Lets a class be called without `new`. Code that was compiled to ES5 does so in its subclasses,
 * and `supertokens-web-js` and `supertokens-auth-react` have subclasses of ours.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any class
export function callable<C extends new (...args: any[]) => object>(base: C): C {
  return new Proxy(base, {
    apply: (_, self, args) => Reflect.construct(base, args, self?.constructor) as object,
  });
}
