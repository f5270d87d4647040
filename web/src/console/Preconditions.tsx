/** ifMatch and ifNoneMatch of a part. */

import type { Mark } from "./batch";
import { Marks, describedBy } from "./Marks";
import type { Part, Precondition } from "./state";

interface Properties {
  part: Part;
  marksAt: (field: string) => Mark[];
  onChange: (change: Partial<Pick<Part, "ifMatch" | "ifNoneMatch">>) => void;
}

const FORMS = {
  ifMatch: { any: "the item exists", etags: "it has one of these etags" },
  ifNoneMatch: { any: "the item does not exist", etags: "it has none of these etags" },
} as const;

export function Preconditions({ part, marksAt, onChange }: Properties) {
  return (
    <div className="preconditions">
      {(["ifMatch", "ifNoneMatch"] as const).map((name) => (
        <PreconditionField
          key={name}
          id={`${part.key}-${name}`}
          name={name}
          given={part[name]}
          marks={marksAt(name)}
          onChange={(given) => onChange({ [name]: given })}
        />
      ))}
    </div>
  );
}

function PreconditionField({
  id,
  name,
  given,
  marks,
  onChange,
}: {
  id: string;
  name: keyof typeof FORMS;
  given: Precondition;
  marks: Mark[];
  onChange: (given: Precondition) => void;
}) {
  const change = (kind: string) =>
    onChange(kind === "etags" ? { kind, text: "" } : { kind: kind === "any" ? "any" : "none" });
  return (
    <div className={`field${given.kind === "none" ? "" : " given"}`}>
      <div className="field-name">
        <label htmlFor={id}>{name}</label>
      </div>
      <div className="control">
        <select
          id={id}
          value={given.kind}
          aria-invalid={marks.length > 0}
          aria-describedby={describedBy(id, marks)}
          onChange={(event) => change(event.target.value)}
        >
          <option value="none">no condition</option>
          <option value="any">{FORMS[name].any} (null)</option>
          <option value="etags">{FORMS[name].etags}</option>
        </select>
        {given.kind === "etags" && (
          <input
            className="code"
            aria-label={`${name}: etags`}
            aria-describedby={describedBy(id, marks)}
            value={given.text}
            autoComplete="off"
            spellCheck={false}
            placeholder="etags, with spaces between them"
            onChange={(event) => onChange({ kind: "etags", text: event.target.value })}
          />
        )}
      </div>
      <Marks id={id} marks={marks} />
    </div>
  );
}
