import { useState } from 'preact/hooks';
import { api, ApiError } from '../api';
import { ErrorBox, Field, Panel } from '../components/basics';
import { useAction } from '../load';
import type { Json } from '../types';
import { Outcome } from './outcome';
import { member, text } from './values';

/** Checks a resource that is pasted in; nothing is stored. */
export function Validate() {
  const [source, setSource] = useState('');
  const [outcome, setOutcome] = useState<Json | null>(null);
  const { run, busy, error } = useAction(async () => {
    setOutcome(null);
    let resource: Json;
    try {
      resource = JSON.parse(source) as Json;
    } catch (caught) {
      throw new ApiError(0, 'no-json', caught instanceof Error ? caught.message : 'this is no JSON', undefined, 'Paste one FHIR resource as JSON.');
    }
    const type = text(member(resource, 'resourceType'));
    if (!/^[A-Z][A-Za-z]+$/.test(type)) throw new ApiError(0, 'no-resource', 'there is no resourceType', undefined, 'Paste one FHIR resource as JSON.');
    setOutcome((await api.fhir(`${type}/$validate`, resource)).json);
  });
  return (
    <div class="columns">
      <Panel title="Resource">
        <form
          class="body stack tight"
          onSubmit={(event) => {
            event.preventDefault();
            void run();
          }}
        >
          <Field label="JSON">{(id) => <textarea id={id} rows={20} spellcheck={false} value={source} onInput={(event) => setSource(event.currentTarget.value)} />}</Field>
          <p>
            <button type="submit" class="primary" disabled={busy || source.trim() === ''}>
              Validate
            </button>
          </p>
          <ErrorBox error={error} />
        </form>
      </Panel>
      <Panel title="Outcome">{outcome ? <Outcome value={outcome} /> : <p class="body dim">Nothing is stored.</p>}</Panel>
    </div>
  );
}
