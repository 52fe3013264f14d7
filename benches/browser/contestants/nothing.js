// The page without an SDK, for what is subtracted.
export const start = () => {};
export const questions = { doesSessionExist: async () => true };
export const firstRequest = async () => (await fetch("/immediate")).text();
