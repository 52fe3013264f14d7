export interface Diagnosis { code: string; message: string; fix: string }
export async function diagnose(_context: unknown): Promise<Diagnosis[]> { return []; }
