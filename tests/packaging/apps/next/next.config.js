export default {
  // Without a root, Next.js looks for one in the folders around.
  turbopack: { root: import.meta.dirname },
  // Bundled, it and what it brings would make the build take minutes.
  serverExternalPackages: ["supertokens-node"],
};
