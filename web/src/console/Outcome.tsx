/** What became of the batch. */

import { type RefObject, useId } from "react";

import type { BatchResult, Mark } from "./batch";
import type { Part } from "./state";

export type Run =
  | { kind: "failed"; message: string } // no batch ran
  | { kind: "unreadable"; marks: Mark[] } // not sent: a field holds no JSON
  | { kind: "done"; result: BatchResult; marks: Mark[] };

const SAID = {
  COMMITTED: "Committed: all of it is written.",
  VALID: "Valid: a dry run, nothing is written.",
  REJECTED: "Rejected: nothing is written.",
} as const;

interface Properties {
  run: Run;
  parts: readonly Part[];
  heading: RefObject<HTMLHeadingElement | null>;
  onGo: (mark: Mark) => void;
}

export function Outcome({ run, parts, heading, onGo }: Properties) {
  const id = useId();
  const isBad = run.kind !== "done" || run.result.status === "REJECTED";
  return (
    <section className={`outcome ${isBad ? "bad" : "good"}`} aria-labelledby={id}>
      <h2 id={id} ref={heading} tabIndex={-1}>
        {run.kind === "done" ? SAID[run.result.status] : "Nothing ran."}
      </h2>
      {run.kind === "failed" && <p>{run.message}</p>}
      {run.kind !== "failed" && <Errors marks={run.marks} parts={parts} onGo={onGo} />}
      {run.kind === "done" && !isBad && <Results result={run.result} />}
    </section>
  );
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
