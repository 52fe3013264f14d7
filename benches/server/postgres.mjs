// A PostgreSQL server of the benchmark's own, as the package configures it: every commit waits for
// the disk.

import { execFileSync } from "node:child_process";
import { appendFileSync, chownSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CORES, launch, run, temporaryFolder } from "../support/processes.mjs";

/** PostgreSQL refuses to run as root. Debian's packages make this user. */
function serverUser() {
  if (process.getuid?.() !== 0) return {};
  const id = (flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Its address, and what stops it. */
export async function startPostgres() {
  const programs = process.env.PASSERBY_POSTGRES;
  const folder = temporaryFolder();
  const user = serverUser();
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const options = { ...user, cwd: folder };
  const [data, port] = [join(folder, "data"), await freePort()];
  const words = [
    "--auth=trust",
    "--username=passerby",
    "--encoding=UTF8",
    "--locale=C",
    "--pgdata",
    data,
  ];
  await run([join(programs, "initdb"), ...words], options);
  const settings =
    `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = ` +
    `''\nmax_connections = 200\n`;
  appendFileSync(join(data, "postgresql.conf"), settings);
  const child = launch([join(programs, "postgres"), "-D", data, "-c", "log_min_messages=fatal"], {
    ...options,
    core: CORES.answers,
  });
  const stop = () => void child.kill("SIGQUIT");
  process.on("exit", stop);
  const address = `postgres://passerby@127.0.0.1:${port}/postgres`;
  for (let attempt = 0; ; attempt++) {
    try {
      await run(
        [
          join(programs, "pg_isready"),
          "-q",
          "-U",
          "passerby",
          "-d",
          "postgres",
          "-h",
          "127.0.0.1",
          "-p",
          String(port),
        ],
        { cwd: folder },
      );
      return { address, stop };
    } catch (error) {
      if (attempt > 100) throw error;
      await delay(100);
    }
  }
}
