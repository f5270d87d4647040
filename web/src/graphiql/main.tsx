/** GraphiQL, with examples of what this very server serves. */

import "graphiql/setup-workers/vite";

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { useMonaco } from "@graphiql/react";
import { GraphiQL, HISTORY_PLUGIN, type GraphiQLProps } from "graphiql";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

import "@graphiql/plugin-explorer/style.css";
import "graphiql/style.css";
import "./graphiql.css";

import { type Catalog, fetchCatalog, signature } from "../catalog";
import { post } from "../request";
import { examplesOf } from "./examples";

const PLUGINS = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })];

const fetcher: GraphiQLProps["fetcher"] = async ({ query, variables, operationName }, options) => {
  // Just after a change of tabs GraphiQL still names the former tab's operation.
  const name = operationName && query.includes(operationName) ? operationName : null;
  return post(query, (variables as object | undefined) ?? {}, options?.headers ?? {}, name);
};

/** What was typed belongs to one catalog; the theme and the like belong to the person. */
function storageFor(catalog: Catalog): NonNullable<GraphiQLProps["storage"]> {
  const own = new Set(["query", "variables", "headers", "tabState", "queries", "favorites"]);
  const name = signature(catalog);
  const place = (key: string) => (own.has(key.replace(/^graphiql:/, "")) ? `${key}:${name}` : key);
  return {
    get length() {
      return localStorage.length;
    },
    clear: () => localStorage.clear(),
    getItem: (key) => localStorage.getItem(place(key)),
    setItem: (key, value) => localStorage.setItem(place(key), value),
    removeItem: (key) => localStorage.removeItem(place(key)),
  };
}

/** GraphiQL cuts the lines of a document, and has no setting for it. */
function WrappedLines(): null {
  const editors = useMonaco(({ monaco }) => monaco?.editor);
  useEffect(() => {
    const options = { wordWrap: "on", wrappingIndent: "indent" } as const;
    editors?.getEditors().forEach((editor) => editor.updateOptions(options)); // they may be there first
    const listening = editors?.onDidCreateEditor((editor) => editor.updateOptions(options));
    return () => listening?.dispose();
  }, [editors]);
  return null;
}

function Page({ catalog, examples }: { catalog: Catalog; examples: { query: string; variables?: string }[] }) {
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={PLUGINS}
      storage={storageFor(catalog)}
      {...(examples.length ? { defaultTabs: examples } : {})}
      schemaDescription
      inputValueDeprecation
      shouldPersistHeaders={false}
    >
      <GraphiQL.Logo>
        <a className="to-console" href="console">
          Compose a batch
        </a>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

async function start(): Promise<void> {
  const root = createRoot(document.getElementById("root")!);
  const catalog = await fetchCatalog().catch((): Catalog => []); // GraphiQL itself shows what is wrong with the server
  const examples = await examplesOf(catalog);
  root.render(
    <StrictMode>
      <WrappedLines />
      <Page catalog={catalog} examples={examples} />
    </StrictMode>,
  );
}

void start();
