/** The page itself comes from the server, finished; only the header and the panel move. */
import { startHeader } from "../header";
import { startPanel } from "../panel";
import { startSession } from "../session";

startSession();
startHeader();
startPanel();
