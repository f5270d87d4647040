/** What is wrong at one place of the form. */

import type { Mark } from "./batch";

export function Marks({ id, marks }: { id: string; marks: Mark[] }) {
  if (!marks.length) {
    return null;
  }
  return (
    <ul className="marks" id={`${id}-marks`}>
      {marks.map(({ code, message }, index) => (
        <li key={index}>
          <span className="error-code">{code}</span> {message}
        </li>
      ))}
    </ul>
  );
}

/** The ids of what describes a field, for aria-describedby. */
export function describedBy(id: string, marks: Mark[], ...others: string[]): string | undefined {
  return [...(marks.length ? [`${id}-marks`] : []), ...others].join(" ") || undefined;
}
