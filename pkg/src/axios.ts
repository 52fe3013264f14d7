export async function intercepted(config: unknown, _instance: unknown, _engine: unknown): Promise<unknown> { return config; }
