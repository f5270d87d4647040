/** What became of the batch. */

import { type RefObject, useId } from "react";

import type { BatchResult, Mark } from "./batch";
import type { Part } from "./state";

export type Run =
  | { kind: "failed"; message: string } // no batch ran
  | { kind: "unsent"; marks: Mark[] } // a part has no path, or a field holds nothing that can be sent
  | { kind: "done"; result: BatchResult; marks: Mark[]; etags: Record<string, string | null> };

const SAID = {
  COMMITTED: "Committed. All parts were saved.",
  VALID: "Valid. This was a dry run, nothing was written.",
  REJECTED: "Rejected. Nothing was written.",
} as const;
const SAID_FORMERLY = {
  COMMITTED: "It was committed before your changes. All parts were saved.",
  VALID: "It was valid before your changes. This was a dry run, nothing was written.",
  REJECTED: "It was rejected before your changes. Nothing was written.",
} as const;

interface Properties {
  run: Run | null;
  marks: Mark[]; // those that are not settled
  isFormer: boolean; // whether something has changed since
  parts: readonly Part[];
  heading: RefObject<HTMLHeadingElement | null>;
  onGo: (mark: Mark) => void;
}

export function Outcome({ run, marks, isFormer, parts, heading, onGo }: Properties) {
  const id = useId();
  if (!run) {
    return null;
  }
  const isBad = run.kind !== "done" || run.result.status === "REJECTED";
  const isWritten = run.kind === "done" && run.result.status === "COMMITTED";
  return (
    <section className={`outcome ${isFormer ? "former" : isBad ? "bad" : "good"}`} aria-labelledby={id}>
      <h2 id={id} ref={heading} tabIndex={-1}>
        {headline(run, isFormer)}
      </h2>
      <p role="status">
        {isFormer && (isWritten ? "Running it again repeats every part. Remove the ones that are already saved." : "Run it again.")}
      </p>
      {run.kind === "failed" && <p>{run.message}</p>}
      {run.kind !== "failed" && marks.length > 0 && <Errors marks={marks} parts={parts} onGo={onGo} />}
      {run.kind === "done" && !isBad && <Results result={run.result} />}
    </section>
  );
}

function headline(run: Run, isFormer: boolean): string {
  if (run.kind !== "done") {
    return isFormer ? "It did not run before your changes." : "Nothing ran.";
  }
  return (isFormer ? SAID_FORMERLY : SAID)[run.result.status];
}

function Errors({ marks, parts, onGo }: { marks: Mark[]; parts: readonly Part[]; onGo: (mark: Mark) => void }) {
  return (
    <ul className="errors">
      {marks.map((mark, index) => (
        <li key={index}>
          <a
            href={`#${mark.key}`}
            onClick={(event) => {
              event.preventDefault();
              onGo(mark);
            }}
          >
            Part {parts.find(({ key }) => key === mark.key)?.id}
          </a>{" "}
          <span className="error-code">{mark.code}</span> {mark.message}
        </li>
      ))}
    </ul>
  );
}

function Results({ result }: { result: BatchResult }) {
  return (
    <ul className="results">
      {result.parts.map(({ id, index, operation, path, status, etag, payload }) => (
        <li key={index}>
          <span className="status">{status}</span> <strong>{id}</strong> {operation} <span className="code">{path}</span>
          {payload !== null && (
            <details>
              <summary>{etag ? `etag ${etag}` : "what it read"}</summary>
              <pre tabIndex={0}>{JSON.stringify(payload, null, 2)}</pre>
            </details>
          )}
        </li>
      ))}
    </ul>
  );
}
