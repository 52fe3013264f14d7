// @vitest-environment jsdom
import * as passerby from "passerby";
import { test } from "vitest";
import { visit } from "./visit.cjs";

test("from the first request to sign-out", () => visit(passerby, "header"));
