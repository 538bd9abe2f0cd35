import type { Fields } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Sections } from '@waybill/shared-kernel/projection.js';

/** Where an event breaks a projection: in the fold, in the fields, or in what the read store can hold. */
export type Break = 'fold' | 'fields' | 'store';

interface Broken {
  readonly broken: Break;
}

function isBroken(section: unknown): section is Broken {
  return typeof section === 'object' && section !== null && 'broken' in section;
}

/** The projection, but that some events, by their ids, break it until `isMended` says otherwise. */
export function fragile(
  projection: Projection,
  breaks: ReadonlyMap<string, Break>,
  isMended: () => boolean = () => false,
): Projection {
  function fields(sections: Sections): Fields {
    const broken = Object.values(sections).find(isBroken)?.broken;
    if (broken === 'fields') throw new TypeError('these sections make no sense');
    const healthy = projection.fields(sections);
    if (broken !== 'store') return healthy;
    const misfit = Object.fromEntries(Object.keys(healthy.single).map((field) => [field, { a: field }]));
    return { ...healthy, single: misfit as Record<string, never> };
  }

  return {
    ...projection,
    fold: (section, event) => {
      const where = isMended() ? undefined : breaks.get(event.id);
      if (where === 'fold') throw new TypeError('this event makes no sense');
      const folded = projection.fold(section, event);
      // Whatever is broken stays so, also where a later event of the batch makes the section anew.
      const broken = where ?? (isBroken(section) && !isMended() ? section.broken : undefined);
      return broken === undefined ? folded : { ...(folded as object), broken };
    },
    fields,
  };
}
