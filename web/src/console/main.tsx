/** The console: composes batches of what this server serves. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import "./console.css";
import "./part.css";

import { fetchCatalog } from "../catalog";
import { applyTheme, storedTheme } from "../theme";
import { Console } from "./Console";

async function start(): Promise<void> {
  applyTheme(storedTheme());
  const root = createRoot(document.getElementById("root")!);
  try {
    const catalog = await fetchCatalog();
    root.render(
      <StrictMode>
        <Console catalog={catalog} />
      </StrictMode>,
    );
  } catch (error) {
    root.render(
      <p role="alert" className="unreachable">
        The catalog cannot be read: {error instanceof Error ? error.message : String(error)}
      </p>,
    );
  }
}

void start();
