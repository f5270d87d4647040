/** One attribute of a part's payload: a value, null, the key of an earlier part's item, or nothing. */

import { useState } from "react";

import { type Attribute, type Catalog, type Resource, resourceNamed } from "../catalog";
import type { Json } from "../request";
import { type Mark, entryField } from "./batch";
import { Control } from "./Control";
import { type Target, readTargets } from "./items";
import { Marks, describedBy } from "./Marks";
import type { Entry, Part } from "./state";
import { pickerOf, toPicker } from "./times";
import { hintsOf, isGiven, isPicked, toText } from "./values";

interface Properties {
  catalog: Catalog;
  part: Part;
  resource: Resource;
  name: string;
  attribute: Attribute | null; // null: a relation, which only a reference can set
  isRequired: boolean;
  current: Json | undefined; // what the item has now, where that was asked
  candidates: Part[]; // earlier parts whose item it can point at
  marks: Mark[];
  onChange: (entry: Entry | null) => void;
}

export function EntryField(properties: Properties) {
  const { catalog, part, resource, name, attribute, isRequired, current, candidates, marks, onChange } = properties;
  const [targets, setTargets] = useState<Target[] | null>(null); // null: not asked for yet
  const id = `${part.key}-${entryField(name)}`;
  const entry = part.entries[name];
  const hints = attribute ? hintsOf(attribute, part.operation, entry) : ["the item of an earlier part"];
  const now = attribute && current !== undefined ? shownNow(attribute, current, entry) : null;
  const relation = resource.relations.find(({ many, attributes }) => !many && attributes.join() === name);
  const pointsAt = relation ? `${relation.targetAttributes[0]} of ${relation.target}` : null;
  const said = [attribute?.description, pointsAt, ...hints, now].filter(Boolean).join(" · ");
  const described = describedBy(id, marks, ...(said ? [`${id}-hint`] : []));
  const isHeld = attribute !== null && entry?.kind !== "null" && entry?.kind !== "reference"; // by its control
  const askForTargets = async () => {
    const target = relation && resourceNamed(catalog, relation.target);
    if (target && targets === null) {
      setTargets([]);
      setTargets(await readTargets(target, relation.targetAttributes[0]!));
    }
  };

  return (
    <div className={`field${isGiven(attribute, entry) ? " given" : ""}`}>
      <div className="field-name">
        <label htmlFor={isHeld ? id : `${id}-how`}>{name}</label>
        <span className="type">{attribute?.type ?? "relation"}</span>
        {isRequired && <span className="required">{part.operation === "UPSERT" ? "required if new" : "required"}</span>}
      </div>
      <div className="control">
        {attribute && (
          <Control
            {...{ id, attribute, resource, entry, targets, described, onChange }}
            onFocus={askForTargets}
            isUpdate={part.operation === "UPDATE"}
            isInvalid={marks.length > 0}
          />
        )}
        <How
          {...{ id, name, attribute, entry, candidates, onChange }}
          isInvalid={!isHeld && marks.length > 0}
          described={isHeld ? undefined : described}
        />
      </div>
      {said && (
        <p className="hint" id={`${id}-hint`}>
          {said}
        </p>
      )}
      <Marks id={id} marks={marks} />
    </div>
  );
}

/** What the item has, unless the entry is just that. */
function shownNow(attribute: Attribute, current: Json, entry: Entry | undefined): string | null {
  if (current === null ? entry?.kind === "null" : entry?.kind === "value" && entry.text === toText(attribute, current)) {
    return null;
  }
  return `now ${current === null ? "null" : toText(attribute, current) || "an empty text"}`;
}

/** What kind of entry it is: absent and null are different things. */
function How({
  id,
  name,
  attribute,
  entry,
  candidates,
  isInvalid,
  described,
  onChange,
}: Pick<Properties, "name" | "attribute" | "candidates" | "onChange"> & {
  id: string;
  entry: Entry | undefined;
  isInvalid: boolean;
  described: string | undefined;
}) {
  const hasPicker = attribute !== null && pickerOf(attribute) !== null;
  const label = `What to send for ${name}`;
  const change = (chosen: string) => {
    const former = entry?.kind === "value" ? entry.text : "";
    if (chosen === "absent") {
      onChange(null);
    } else if (chosen === "null") {
      onChange({ kind: "null" });
    } else if (chosen === "typed") {
      onChange({ kind: "value", text: former, isTyped: true });
    } else if (chosen === "value") {
      onChange({ kind: "value", text: firstValue(attribute, former) });
    } else {
      onChange({ kind: "reference", part: chosen });
    }
  };
  return (
    <select
      id={`${id}-how`}
      className="how"
      aria-label={label}
      title={label}
      aria-invalid={isInvalid}
      aria-describedby={described}
      value={kindOf(attribute, entry)}
      onChange={(event) => change(event.target.value)}
    >
      <option value="absent">left out</option>
      {attribute && <option value="value">value</option>}
      {hasPicker && <option value="typed">as text</option>}
      {(attribute?.nullable || entry?.kind === "null") && <option value="null">null</option>}
      {candidates.map(({ key, id: part }) => (
        <option key={key} value={key}>
          item of {part}
        </option>
      ))}
    </select>
  );
}

function kindOf(attribute: Attribute | null, entry: Entry | undefined): string {
  if (entry?.kind === "reference") {
    return entry.part;
  }
  const isText = attribute && pickerOf(attribute) && !isPicked(attribute, entry);
  return isText ? "typed" : (entry?.kind ?? "absent");
}

function firstValue(attribute: Attribute | null, former: string): string {
  if (attribute && pickerOf(attribute)) {
    return toPicker(attribute, former) === null ? "" : former;
  }
  return attribute?.enum?.[0] ?? (attribute?.type === "Boolean" ? "true" : "");
}
