/** A path with suggestions: a combobox with a listbox (ARIA Authoring Practices Guide). */

import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";

import type { Catalog } from "../catalog";
import type { Mark } from "./batch";
import { readItems } from "./items";
import { Marks, describedBy } from "./Marks";
import { type Suggestion, itemsToSuggest, suggestions } from "./places";
import type { Part } from "./state";

interface Properties {
  catalog: Catalog;
  parts: readonly Part[];
  part: Part;
  marks: Mark[];
  hasOwnMarks: boolean; // whether the part itself is marked
  onChange: (path: string) => void;
}

const WAIT = 150; // milliseconds of no typing, before the server is asked for items

export function PathField({ catalog, parts, part, marks, hasOwnMarks, onChange }: Properties) {
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const items = useItems(catalog, part.path, isOpen);
  const list = useRef<HTMLUListElement>(null);
  const options = useMemo(
    () => [...suggestions(catalog, parts, part.key, part.path), ...items],
    [catalog, parts, part.key, part.path, items],
  );
  const id = `${part.key}-path`;
  const isShown = isOpen && options.length > 0;

  useEffect(() => {
    if (isShown) {
      list.current?.scrollIntoView({ block: "nearest" });
    }
  }, [isShown]);
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const choose = (option: Suggestion) => {
    onChange(option.path);
    setOpen(false);
    setActive(-1);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setOpen(true);
      const from = active < 0 && step < 0 ? 0 : active;
      setActive(options.length ? (from + step + options.length) % options.length : -1);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const option = isShown ? options[active] : undefined;
      option ? choose(option) : setOpen(false);
    } else if (event.key === "Escape" && isShown) {
      event.preventDefault();
      setOpen(false);
      setActive(-1);
    }
  };

  return (
    <div className="path">
      <label htmlFor={id}>Path</label>
      <div className="combobox">
        <input
          id={id}
          className="code"
          role="combobox"
          aria-expanded={isShown}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={isShown && active >= 0 ? `${id}-${active}` : undefined}
          aria-invalid={marks.length > 0}
          aria-describedby={describedBy(id, marks, ...(hasOwnMarks ? [`${part.key}-part-marks`] : []))}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          placeholder="/…"
          value={part.path}
          onChange={(event) => {
            onChange(event.target.value);
            setOpen(true);
            setActive(-1);
          }}
          onClick={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
        <ul id={`${id}-list`} role="listbox" aria-label="Paths" hidden={!isShown} ref={list}>
          {isShown &&
            options.map((option, index) => (
              <li
                key={option.path}
                id={`${id}-${index}`}
                role="option"
                aria-selected={index === active}
                onMouseDown={(event) => event.preventDefault()} // the input keeps the focus
                onClick={() => choose(option)}
              >
                <span className="code">{option.path}</span>
                <span className="detail">{option.detail}</span>
              </li>
            ))}
        </ul>
      </div>
      <Marks id={id} marks={marks} />
    </div>
  );
}

/** The first items of the collection that the path leads to, while somebody looks. */
function useItems(catalog: Catalog, path: string, isOpen: boolean): Suggestion[] {
  const [found, setFound] = useState<{ collection: string; items: Suggestion[] }>({ collection: "", items: [] });
  const wanted = itemsToSuggest(catalog, path);
  const collection = wanted?.collection ?? "";
  const resource = wanted?.place.resource;

  useEffect(() => {
    if (!isOpen || !collection || !resource || found.collection === collection) {
      return undefined;
    }
    const timer = setTimeout(async () => {
      setFound({ collection, items: await readItems(resource, collection) });
    }, WAIT);
    return () => clearTimeout(timer);
  }, [isOpen, collection, resource, found.collection]);

  return useMemo(() => {
    const typed = wanted?.typed.toLowerCase() ?? "";
    const isMeant = ({ path: item, detail }: Suggestion) =>
      item !== path && (item.toLowerCase().startsWith(`${collection}/${typed}`.toLowerCase()) || detail.toLowerCase().includes(typed));
    return found.collection === collection && collection ? found.items.filter(isMeant) : [];
  }, [found, collection, path, wanted?.typed]);
}
