// Without a root, Next.js looks for one in the folders around.
export default { turbopack: { root: import.meta.dirname } };
