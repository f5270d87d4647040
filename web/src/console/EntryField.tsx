/** One attribute of a part's payload: a value, null, the key of an earlier part's item, or nothing. */

import type { ReactNode } from "react";

import type { Attribute } from "../catalog";
import type { Json } from "../request";
import { type Mark, entryField } from "./batch";
import { Marks, describedBy } from "./Marks";
import type { Entry, Part } from "./state";
import { hintsOf, isWrittenAsJson, toText } from "./values";

interface Properties {
  part: Part;
  name: string;
  attribute: Attribute | null; // null: a relation, which only a reference can set
  isRequired: boolean;
  current: Json | undefined; // what the item has now, where that was asked
  candidates: Part[]; // earlier parts whose item it can point at
  marks: Mark[];
  onChange: (entry: Entry | null) => void;
}

export function EntryField({ part, name, attribute, isRequired, current, candidates, marks, onChange }: Properties) {
  const id = `${part.key}-${entryField(name)}`;
  const entry = part.entries[name];
  const hints = attribute ? hintsOf(attribute) : ["the item of an earlier part"];
  const hasHint = hints.length > 0 || Boolean(attribute?.description);
  const described = describedBy(id, marks, ...(hasHint ? [`${id}-hint`] : []));

  return (
    <div className={`field${entry ? " given" : ""}`}>
      <div className="field-name">
        <label htmlFor={attribute ? id : `${id}-how`}>{name}</label>
        <span className="type">{attribute?.type ?? "relation"}</span>
        {isRequired && <span className="required">required</span>}
      </div>
      <div className="control">
        {attribute && (
          <Control
            id={id}
            attribute={attribute}
            entry={entry}
            placeholder={placeholder(entry, part, attribute, current)}
            invalid={marks.length > 0}
            described={described}
            onChange={onChange}
          />
        )}
        <How {...{ id, name, attribute, entry, candidates, onChange }} />
      </div>
      {hasHint && (
        <p className="hint" id={`${id}-hint`}>
          {[attribute?.description, ...hints].filter(Boolean).join(" · ")}
        </p>
      )}
      <Marks id={id} marks={marks} />
    </div>
  );
}

/** What kind of entry it is: absent and null are different things. */
function How({
  id,
  name,
  attribute,
  entry,
  candidates,
  onChange,
}: Pick<Properties, "name" | "attribute" | "candidates" | "onChange"> & { id: string; entry: Entry | undefined }) {
  const value = entry?.kind === "reference" ? entry.part : (entry?.kind ?? "absent");
  const change = (chosen: string) => {
    if (chosen === "absent") {
      onChange(null);
    } else if (chosen === "null") {
      onChange({ kind: "null" });
    } else if (chosen === "value") {
      onChange({ kind: "value", text: attribute?.enum?.[0] ?? (attribute?.type === "Boolean" ? "true" : "") });
    } else {
      onChange({ kind: "reference", part: chosen });
    }
  };
  return (
    <select
      id={`${id}-how`}
      className="how"
      aria-label={`What to send for ${name}`}
      value={value}
      onChange={(event) => change(event.target.value)}
    >
      <option value="absent">left out</option>
      {attribute && <option value="value">value</option>}
      {(attribute?.nullable || value === "null") && <option value="null">null</option>}
      {candidates.map(({ key, id: part }) => (
        <option key={key} value={key}>
          item of {part}
        </option>
      ))}
    </select>
  );
}

function Control({
  id,
  attribute,
  entry,
  placeholder,
  invalid,
  described,
  onChange,
}: {
  id: string;
  attribute: Attribute;
  entry: Entry | undefined;
  placeholder: string;
  invalid: boolean;
  described: string | undefined;
  onChange: (entry: Entry | null) => void;
}): ReactNode {
  const text = entry?.kind === "value" ? entry.text : "";
  const common = {
    id,
    value: text,
    disabled: entry?.kind === "null" || entry?.kind === "reference",
    "aria-invalid": invalid,
    "aria-describedby": described,
    onChange: (event: { target: { value: string } }) => {
      const typed = event.target.value;
      onChange(typed === "" && attribute.type !== "String" ? null : { kind: "value", text: typed });
    },
  };
  const choices = attribute.type.startsWith("[") ? null : (attribute.enum ?? booleans(attribute));
  if (choices) {
    return (
      <select {...common}>
        <option value="">{placeholder}</option>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  const isLong = isWrittenAsJson(attribute) || (attribute.type === "String" && (attribute.maxLength ?? 0) > 300);
  if (isLong) {
    return <textarea {...common} rows={2} placeholder={placeholder} spellCheck={attribute.type === "String"} />;
  }
  const isNumber = ["Int", "BigInt", "Decimal", "Float"].includes(attribute.type);
  return (
    <input
      {...common}
      type="text"
      inputMode={isNumber ? "decimal" : undefined}
      autoComplete="off"
      placeholder={placeholder}
    />
  );
}

function booleans({ type }: Attribute): string[] | null {
  return type === "Boolean" ? ["true", "false"] : null;
}

function placeholder(entry: Entry | undefined, part: Part, attribute: Attribute, current: Json | undefined): string {
  if (entry?.kind === "null") {
    return "null";
  }
  if (entry?.kind === "reference") {
    return "the key of that item";
  }
  if (entry?.kind === "value") {
    return "empty";
  }
  if (current !== undefined && part.operation !== "CREATE") {
    return `now ${current === null ? "null" : toText(attribute, current)}`;
  }
  return "";
}
