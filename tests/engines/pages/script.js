import { harnessOf } from "/pages/harness.js";

const { fallback } = document.getElementById("options")?.dataset ?? {};
harnessOf(supertokens, { anonymous: {}, ...(fallback && { fallbackUrl: fallback }) });
