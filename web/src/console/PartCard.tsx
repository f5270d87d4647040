/** One part of the batch: where, what, and the values. */

import { type Dispatch, useEffect, useState } from "react";

import type { Catalog, Operation, Resource } from "../catalog";
import { type Mark, entryField } from "./batch";
import { EntryField } from "./EntryField";
import { type Values, readItem } from "./items";
import { Marks, describedBy } from "./Marks";
import { PathField } from "./PathField";
import { type Place, fieldsAt, operationsAt, partsWithItem, placeOf } from "./places";
import { Preconditions } from "./Preconditions";
import type { Action, Entry, Part } from "./state";
import { toText } from "./values";

interface Properties {
  catalog: Catalog;
  parts: readonly Part[];
  part: Part;
  marks: Mark[];
  currentEtag: string | null; // of the item, where a precondition failed
  dispatch: Dispatch<Action>;
}

export function PartCard({ catalog, parts, part, marks, currentEtag, dispatch }: Properties) {
  const [current, setCurrent] = useState<{ path: string; values: Values } | null>(null);
  const [isOpen, setOpen] = useState(false); // the preconditions
  const place = placeOf(catalog, part.path);
  const { attributes, relations } = fieldsAt(place, part.operation);
  const own = [...attributes, ...relations].map(({ name }) => entryField(name));
  const fields = new Set(["id", "path", "operation", "ifMatch", "ifNoneMatch", ...own]);
  const marksAt = (field: string) => marks.filter((mark) => (fields.has(mark.field) ? mark.field : "") === field);
  const change = (changed: Extract<Action, { type: "change" }>["change"]) =>
    dispatch({ type: "change", key: part.key, change: changed });

  const changePath = (path: string) => {
    const next = placeOf(catalog, path);
    const possible = next ? operationsAt(next, path) : [];
    const isKept = !next || (part.isChosen && possible.includes(part.operation));
    change(isKept || !possible[0] ? { path } : { path, operation: possible[0], isChosen: false });
  };

  const load = async () => {
    const item = await readItem(part.path);
    if (typeof item === "string") {
      return item;
    }
    setCurrent({ path: part.path, values: item.values });
    change({ ifMatch: { kind: "etags", text: item.etag } });
    if (part.operation === "REPLACE" && place) {
      dispatch({ type: "fill", key: part.key, entries: entriesOf(place.resource, item.values) });
    }
    return `Shown: what ${part.path} has now. ifMatch has its etag.`;
  };

  const position = parts.indexOf(part) + 1;
  const hasCondition = part.ifMatch.kind !== "none" || part.ifNoneMatch.kind !== "none";
  const hasMarks = marksAt("ifMatch").length > 0 || marksAt("ifNoneMatch").length > 0;
  useEffect(() => setOpen((former) => former || hasCondition || hasMarks), [hasCondition, hasMarks]);
  return (
    <li className={`part${marks.length ? " errored" : ""}`} aria-label={`Part ${position}, ${part.id}`} id={part.key}>
      <PartHead part={part} position={position} count={parts.length} marks={marksAt("id")} dispatch={dispatch} />
      <Marks id={`${part.key}-part`} marks={marksAt("")} />
      <div className="where">
        <OperationField
          part={part}
          operations={operationsAt(place, part.path)}
          marks={marksAt("operation")}
          onChange={(operation) => change({ operation, isChosen: true })}
        />
        <PathField {...{ catalog, parts, part }} marks={marksAt("path")} hasOwnMarks={marksAt("").length > 0} onChange={changePath} />
      </div>
      <About place={place} part={part} />
      {place?.kind === "item" && <Current part={part} currentEtag={currentEtag} load={load} onChange={change} />}
      {own.length > 0 && (
        <div className="fields" role="group" aria-label={`Values of part ${part.id}`}>
          {[...attributes.map((attribute) => ({ name: attribute.name, attribute })), ...relations.map(({ name }) => ({ name, attribute: null }))].map(
            ({ name, attribute }) => (
              <EntryField
                key={name}
                catalog={catalog}
                part={part}
                resource={place!.resource}
                name={name}
                attribute={attribute}
                isRequired={Boolean(attribute?.required) && part.operation !== "UPDATE"}
                current={current?.path === part.path ? current.values[name] : undefined}
                candidates={candidatesFor(catalog, parts, part, place!.resource, name)}
                marks={marksAt(entryField(name))}
                onChange={(entry) => dispatch({ type: "enter", key: part.key, name, entry })}
              />
            ),
          )}
        </div>
      )}
      <details className="conditions" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Preconditions</summary>
        <Preconditions part={part} marksAt={marksAt} onChange={change} />
      </details>
    </li>
  );
}

function PartHead({
  part,
  position,
  count,
  marks,
  dispatch,
}: Pick<Properties, "part" | "marks" | "dispatch"> & { position: number; count: number }) {
  const id = `${part.key}-id`;
  return (
    <div className="part-head">
      <span className="number" aria-hidden="true">
        {position}
      </span>
      <label htmlFor={id}>Part id</label>
      <input
        id={id}
        className="code part-id"
        value={part.id}
        maxLength={255}
        autoComplete="off"
        spellCheck={false}
        aria-invalid={marks.length > 0}
        aria-describedby={describedBy(id, marks)}
        onChange={(event) => dispatch({ type: "rename", key: part.key, id: event.target.value })}
      />
      <div className="part-buttons">
        <button
          type="button"
          className="icon"
          id={`${part.key}-up`}
          aria-label={`Move part ${part.id} up`}
          disabled={position === 1}
          onClick={() => dispatch({ type: "move", key: part.key, by: -1 })}
        >
          ↑
        </button>
        <button
          type="button"
          className="icon"
          id={`${part.key}-down`}
          aria-label={`Move part ${part.id} down`}
          disabled={position === count}
          onClick={() => dispatch({ type: "move", key: part.key, by: 1 })}
        >
          ↓
        </button>
        <button
          type="button"
          className="icon"
          aria-label={`Remove part ${part.id}`}
          onClick={() => dispatch({ type: "remove", key: part.key })}
        >
          ✕
        </button>
      </div>
      <Marks id={id} marks={marks} />
    </div>
  );
}

function OperationField({
  part,
  operations,
  marks,
  onChange,
}: {
  part: Part;
  operations: Operation[];
  marks: Mark[];
  onChange: (operation: Operation) => void;
}) {
  const id = `${part.key}-operation`;
  const shown = operations.includes(part.operation) ? operations : [part.operation, ...operations];
  return (
    <div className="operation">
      <label htmlFor={id}>Operation</label>
      <select
        id={id}
        value={part.operation}
        aria-invalid={marks.length > 0}
        aria-describedby={describedBy(id, marks)}
        onChange={(event) => onChange(event.target.value as Operation)}
      >
        {shown.map((operation) => (
          <option key={operation}>{operation}</option>
        ))}
      </select>
      <Marks id={id} marks={marks} />
    </div>
  );
}

/** What the path leads to, in words. */
function About({ place, part }: { place: Place | null; part: Part }) {
  if (!place) {
    const text = part.path ? "Unknown path." : "Choose a path: a collection, or one of its items.";
    return <p className="about">{text}</p>;
  }
  const { resource, kind, parent } = place;
  const given = parent?.targetAttributes.join(", ");
  return (
    <p className="about">
      <strong>{resource.name}</strong>, {kind === "item" ? "one item" : "the collection"}.
      {resource.description && ` ${resource.description}`}
      {given && part.operation === "CREATE" && ` The path gives ${given}.`}
    </p>
  );
}

function Current({
  part,
  currentEtag,
  load,
  onChange,
}: {
  part: Part;
  currentEtag: string | null;
  load: () => Promise<string>;
  onChange: (change: Partial<Pick<Part, "ifMatch">>) => void;
}) {
  const [said, setSaid] = useState("");
  const canLoad = !part.path.includes("$");
  if (!currentEtag && !canLoad) {
    return null;
  }
  return (
    <div className="current">
      {currentEtag && (
        <button type="button" onClick={() => onChange({ ifMatch: { kind: "etags", text: currentEtag } })}>
          Use the current etag
        </button>
      )}
      {canLoad && (
        <button type="button" onClick={async () => setSaid(await load())}>
          Load the current item
        </button>
      )}
      <span role="status">{said}</span>
    </div>
  );
}

/** The earlier parts whose item an attribute or relation can point at. */
function candidatesFor(catalog: Catalog, parts: readonly Part[], part: Part, resource: Resource, name: string): Part[] {
  const relation = resource.relations.find(
    (candidate) => !candidate.many && (candidate.name === name || candidate.attributes.join() === name),
  );
  return relation ? partsWithItem(catalog, parts, part.key, relation.target) : [];
}

/** All that a REPLACE may give, as the item has it. */
function entriesOf(resource: Resource, values: Values): Record<string, Entry> {
  const writable = resource.attributes.filter(({ name, readOnly }) => !readOnly && !resource.key.includes(name));
  return Object.fromEntries(
    writable.map((attribute): [string, Entry] => {
      const value = values[attribute.name];
      const isNull = value === null || value === undefined;
      return [attribute.name, isNull ? { kind: "null" } : { kind: "value", text: toText(attribute, value) }];
    }),
  );
}
