/** The request as it is sent, to take along. */

import { useRef, useState } from "react";

import { MUTATION, type WirePart, toCurl } from "./batch";

export function Request({ wire, dryRun }: { wire: WirePart[]; dryRun: boolean }) {
  const variables = dryRun ? { parts: wire, dryRun } : { parts: wire };
  return (
    <details className="request">
      <summary>
        <h2>The request</h2>
      </summary>
      <Text title="Mutation" text={MUTATION} />
      <Text title="Variables" text={JSON.stringify(variables, null, 2)} />
      <Text title="curl" text={toCurl(variables)} />
    </details>
  );
}

function Text({ title, text }: { title: string; text: string }) {
  const [said, setSaid] = useState("");
  const shown = useRef<HTMLPreElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("copied");
    } catch {
      // Only pages on https or on this machine may write to the clipboard.
      getSelection()?.selectAllChildren(shown.current!);
      setSaid("selected: copy it with the keyboard");
    }
  };
  return (
    <section aria-label={title}>
      <div className="text-head">
        <h3>{title}</h3>
        <span role="status">{said}</span>
        <button type="button" aria-label={`Copy ${title}`} onClick={copy}>
          Copy
        </button>
      </div>
      <pre ref={shown} tabIndex={0} aria-label={title}>
        {text}
      </pre>
    </section>
  );
}
