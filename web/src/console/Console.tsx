/** Composes a batch, runs it, and shows what became of it. */

import { type FormEvent, type KeyboardEvent, useEffect, useReducer, useRef, useState } from "react";

import { type Catalog, signature } from "../catalog";
import { post } from "../request";
import { type BatchResult, MUTATION, type Mark, entryField, marksOf, toWire } from "./batch";
import { Header } from "./Header";
import { Outcome, type Run } from "./Outcome";
import { PartCard } from "./PartCard";
import { Request } from "./Request";
import { type Action, keepDraft, keptDraft, reduce } from "./state";

export function Console({ catalog }: { catalog: Catalog }) {
  const name = signature(catalog);
  const [parts, dispatch] = useReducer(reduce, name, keptDraft);
  const [dryRun, setDryRun] = useState(false);
  const [run, setRun] = useState<Run | null>(null);
  const [ran, setRan] = useState(""); // what that run was of
  const [settled, setSettled] = useState<ReadonlySet<string>>(new Set()); // fields that changed since the run
  const [isRunning, setRunning] = useState(false);
  const [said, setSaid] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const toFocus = useRef<string | null>(null); // an element to focus when the change has been drawn

  useEffect(() => keepDraft(name, parts), [name, parts]);
  useEffect(() => heading.current?.focus(), [run]);
  useEffect(() => {
    const element = toFocus.current && document.getElementById(toFocus.current);
    toFocus.current = null;
    if (element) {
      element.focus();
    }
  }, [parts]);

  const { wire, marks: unsendable } = toWire(catalog, parts);
  const composed = JSON.stringify([parts, dryRun]);
  const marks = run === null || run.kind === "failed" ? [] : run.marks;
  const isThere = (key: string) => parts.some((part) => part.key === key);
  const isSettled = ({ key, field }: Mark) => settled.has(`${key} ${field}`) || settled.has(key) || !isThere(key);
  const shown = marks.filter((mark) => !isSettled(mark));

  const act = (action: Action) => {
    const next = reduce(parts, action);
    toFocus.current = focusAfter(action, parts, next);
    setSaid(announcement(action, parts, next));
    setSettled((former) => new Set([...former, ...fieldsOf(action)]));
    dispatch(action);
  };

  const execute = async () => {
    if (isRunning) {
      return;
    }
    setSettled(new Set());
    setRan(composed);
    const faults = [...unsendable, ...incompleteFields(form.current!)];
    if (faults.length) {
      setRun({ kind: "unsent", marks: faults });
      return;
    }
    setRunning(true);
    setRun(null); // what was said of the run before is over
    setRun(await runBatch(catalog, parts, wire, dryRun));
    setRunning(false);
  };

  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    void execute();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter") {
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      void execute();
    } else if (event.target instanceof HTMLInputElement) {
      event.preventDefault(); // a browser would run the batch: who ends a value with it does not mean to write
    }
  };
  const goTo = ({ key, field }: Mark) => {
    const own = document.getElementById(`${key}-${field}`);
    const target = own && !own.matches(":disabled") ? own : document.getElementById(`${key}-${field}-how`);
    (target ?? document.getElementById(`${key}-path`))?.focus();
  };

  return (
    <>
      <Header />
      <form className="console" ref={form} noValidate onSubmit={onSubmit} onKeyDown={onKeyDown}>
        <main>
          <ol className="parts" aria-label="Parts">
            {parts.map((part) => (
              <PartCard
                key={part.key}
                catalog={catalog}
                parts={parts}
                part={part}
                marks={shown.filter(({ key }) => key === part.key)}
                currentEtag={run?.kind === "done" ? (run.etags[part.key] ?? null) : null}
                dispatch={act}
              />
            ))}
          </ol>
          <button type="button" className="add" onClick={() => act({ type: "add" })}>
            Add a part
          </button>
          <p className="visually-hidden" role="status">
            {said}
          </p>
        </main>
        <aside aria-label="Run">
          <div className="run">
            <button type="submit" className="primary" disabled={isRunning || parts.length === 0}>
              {dryRun ? "Try the batch" : "Run the batch"}
            </button>
            <label className="check">
              <input type="checkbox" checked={dryRun} onChange={(event) => setDryRun(event.target.checked)} />
              Dry run
            </label>
            <p className="hint">Ctrl+Enter (⌘ Enter) does it from any field. Enter alone does not.</p>
          </div>
          <Outcome run={run} marks={shown} isFormer={composed !== ran} parts={parts} heading={heading} onGo={goTo} />
          <Request wire={wire} dryRun={dryRun} />
        </aside>
      </form>
    </>
  );
}

async function runBatch(
  catalog: Catalog,
  parts: Parameters<typeof toWire>[1],
  wire: ReturnType<typeof toWire>["wire"],
  dryRun: boolean,
): Promise<Run> {
  try {
    const answer = await post<{ batch: BatchResult | null }>(MUTATION, { parts: wire, dryRun });
    const result = answer.data?.batch;
    if (!result) {
      return { kind: "failed", message: answer.errors?.map(({ message }) => message).join(" ") ?? "There was no answer." };
    }
    return { kind: "done", result, marks: marksOf(catalog, parts, result), etags: currentEtags(parts, result) };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

/** Dates and times that are half picked: their inputs have no value, and would be left out. */
function incompleteFields(form: HTMLFormElement): Mark[] {
  const inputs = [...form.querySelectorAll("input")].filter(({ validity }) => validity.badInput);
  return inputs.map(({ id }) => {
    const [key, ...field] = id.split("-");
    return { key: key!, field: field.join("-"), code: "INCOMPLETE", message: "This is not complete: fill in all of it, or clear it." };
  });
}

/** Parts that came too late are answered with what is there now. */
function currentEtags(parts: Parameters<typeof toWire>[1], result: BatchResult): Record<string, string | null> {
  const late = result.parts.filter(({ status }) => status === 412);
  return Object.fromEntries(late.map(({ index, etag }) => [parts[index]!.key, etag]));
}

/** What an action settles: a field that was changed is no longer marked, nor is any of a part that leads elsewhere. */
function fieldsOf(action: Action): string[] {
  switch (action.type) {
    case "rename":
      return [`${action.key} id`];
    case "change":
      return "path" in action.change || "operation" in action.change
        ? [action.key]
        : Object.keys(action.change).map((field) => `${action.key} ${field}`);
    case "enter":
      return [`${action.key} ${entryField(action.name)}`];
    default:
      return [];
  }
}

function focusAfter(action: Action, parts: readonly { key: string }[], next: readonly { key: string }[]): string | null {
  switch (action.type) {
    case "add":
      return `${next.at(-1)!.key}-path`;
    case "remove": {
      const index = parts.findIndex(({ key }) => key === action.key);
      const neighbour = next[Math.min(index, next.length - 1)];
      return neighbour ? `${neighbour.key}-path` : null;
    }
    case "move": {
      const index = next.findIndex(({ key }) => key === action.key);
      const isAtEnd = action.by < 0 ? index === 0 : index === next.length - 1;
      return `${action.key}-${action.by < 0 !== isAtEnd ? "up" : "down"}`;
    }
    default:
      return null;
  }
}

function announcement(action: Action, parts: readonly { key: string; id: string }[], next: readonly { key: string }[]): string {
  if (action.type === "move") {
    const index = next.findIndex(({ key }) => key === action.key);
    return `Part ${parts.find(({ key }) => key === action.key)?.id} is now number ${index + 1} of ${next.length}.`;
  }
  if (action.type === "remove") {
    return `Part ${parts.find(({ key }) => key === action.key)?.id} is removed.`;
  }
  return "";
}
