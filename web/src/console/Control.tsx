/** What a value is entered with, by the attribute's type. */

import type { Attribute, Resource } from "../catalog";
import { exampleOf } from "../samples";
import type { Target } from "./items";
import type { Entry } from "./state";
import { LATEST, fromPicker, pickerOf, toPicker } from "./times";
import { isPicked, isWrittenAsJson } from "./values";

interface Properties {
  id: string;
  attribute: Attribute;
  resource: Resource;
  entry: Entry | undefined;
  targets: Target[] | null; // what it can point at, as far as that is known
  isUpdate: boolean;
  isInvalid: boolean;
  described: string | undefined;
  onChange: (entry: Entry | null) => void;
  onFocus: () => void;
}

const SHORT = 300; // characters that a line holds
const NUMBERS = ["Int", "BigInt", "Decimal", "Float"];

export function Control(properties: Properties) {
  const { id, attribute, resource, entry, targets, isUpdate, isInvalid, described, onChange, onFocus } = properties;
  const { type, maxLength } = attribute;
  const text = entry?.kind === "value" ? entry.text : "";
  const picker = isPicked(attribute, entry) ? pickerOf(attribute) : null;
  const isTyped = pickerOf(attribute) !== null && picker === null;
  const placeholder = placeholderOf(entry, attribute, resource, isUpdate);
  const change = (typed: string) => {
    if (typed === "" && !isTyped) {
      onChange(null);
    } else if (picker) {
      onChange({ kind: "value", text: fromPicker(attribute, typed) });
    } else {
      onChange({ kind: "value", text: typed, ...(isTyped ? { isTyped } : {}) });
    }
  };
  const common = {
    id,
    disabled: entry?.kind === "null" || entry?.kind === "reference",
    "aria-invalid": isInvalid,
    "aria-describedby": described,
    onFocus,
    onChange: (event: { target: { value: string } }) => change(event.target.value),
  };

  const choices = choicesOf(attribute);
  if (choices) {
    return (
      <select {...common} value={text}>
        <option value="">{placeholder}</option>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  if (picker) {
    return <input {...common} type={picker} max={LATEST[picker]} value={toPicker(attribute, text) ?? ""} />;
  }
  if (isWrittenAsJson(attribute) || (type === "String" && (maxLength ?? Infinity) > SHORT)) {
    return <textarea {...common} value={text} rows={1} placeholder={placeholder} spellCheck={type === "String"} />;
  }
  const hasTargets = targets !== null && targets.length > 0;
  return (
    <>
      <input
        {...common}
        type="text"
        inputMode={NUMBERS.includes(type) ? "decimal" : undefined}
        list={hasTargets ? `${id}-targets` : undefined}
        autoComplete="off"
        placeholder={placeholder}
        value={text}
      />
      {hasTargets && (
        <datalist id={`${id}-targets`}>
          {targets.map(({ value, title }) => (
            <option key={value} value={value} label={title ? `${value} · ${title}` : value} />
          ))}
        </datalist>
      )}
    </>
  );
}

function choicesOf({ type, enum: labels }: Attribute): readonly string[] | null {
  if (type.startsWith("[")) {
    return null;
  }
  return labels ?? (type === "Boolean" ? ["true", "false"] : null);
}

function placeholderOf(entry: Entry | undefined, attribute: Attribute, resource: Resource, isUpdate: boolean): string {
  if (entry?.kind === "null") {
    return "null";
  }
  if (entry?.kind === "reference") {
    return "the key of that item";
  }
  if (entry?.kind === "value") {
    return attribute.type === "String" && !attribute.enum ? "an empty text" : "";
  }
  const isForeign = resource.relations.some(({ many, attributes }) => !many && attributes.includes(attribute.name));
  const example = isUpdate || attribute.generated || attribute.enum || isForeign ? null : exampleOf(attribute, resource);
  return example === null ? "" : `e.g. ${example}`;
}
