import { getSnapshot } from "passerby";
import { Session } from "./session.jsx";

export default function Page() {
  return (
    <main>
      <p id="server">{getSnapshot().state}</p>
      <Session />
    </main>
  );
}
