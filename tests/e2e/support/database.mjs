// @ts-check
// Things that an operator does to the database by hand, and that time does to it. Through Python,
// because Node 20 reads no SQLite.

import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { promisify } from "node:util";

const run = promisify(execFile);

const PROGRAM = `
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=10)
with database:
    for sql, values in json.loads(sys.argv[2]):
        database.execute(sql, values)
database.close()
`;

/** All of these statements, or none. @param {[sql: string, values: unknown[]][]} statements */
async function change(file, statements) {
  await run("python3", ["-c", PROGRAM, file, JSON.stringify(statements)]);
}

/** The time of all sessions of this user is up. */
export function expireSessions(file, userId) {
  return change(file, [
    ["UPDATE sessions SET expires_at = ? WHERE user_id = ?", [Date.now() - 1000, userId]],
  ]);
}

const HOUR = 3_600_000;

/**
 * All keys grow old, and one that was published long enough ago takes their place: a `static` one
 * as if somebody had made it, a `dynamic` one as if the others had signed for long enough. The
 * server has to be started again, or it reads them within half a minute.
 * @param {"static" | "dynamic"} kind
 */
export async function replaceKey(file, kind) {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const madeAt = Date.now() - HOUR;
  await change(file, [
    ["UPDATE keys SET created_at = created_at - ? WHERE kind = ?", [24 * HOUR, kind]],
    // In all else like the one before it.
    [
      "CREATE TEMP TABLE made AS SELECT * FROM keys WHERE kind = ? ORDER BY created_at DESC " +
        "LIMIT 1",
      [kind],
    ],
    [
      "UPDATE made SET id = ?, created_at = ?, secret = ?",
      [`${kind[0]}-${madeAt}`, madeAt, privateKey],
    ],
    ["INSERT INTO keys SELECT * FROM made", []],
  ]);
}
