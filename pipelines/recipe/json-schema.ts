import { z } from 'zod';
import { recipeSchema } from './schema.js';

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** Keys that are read before there are variables; they can't be taken away either. */
const literalKeys = new Set(['recipe', 'extends']);

/** A text with a variable in it. */
const withVariable: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/**
 * The JSON Schema (draft 2020-12) of a recipe file, for editors: what a file may hold before what it extends is
 * merged in and variables are put in. Only `recipe` is required of a file, since what it extends can have the rest.
 */
export function recipeJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(recipeSchema, { io: 'input' });
  const { $schema, ...whole } = relaxedMap(schema, true);
  return {
    $schema: $schema ?? 'https://json-schema.org/draft/2020-12/schema',
    title: 'Recipe of ssi-images',
    ...whole,
    required: ['recipe'],
  };
}

/** A map of a file: its keys may be missing, and null. */
function relaxedMap(schema: JsonSchema, isTop = false): JsonSchema {
  const { required: _, properties = {}, ...rest } = schema;
  const relaxed: Record<string, JsonSchema> = {};
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === 'boolean') continue;
    relaxed[key] = isTop && literalKeys.has(key) ? value : orNull(relaxedValue(value));
  }
  return { ...rest, properties: relaxed };
}

/** A value of a file: a text with variables may stand for any scalar. */
function relaxedValue(schema: JsonSchema): JsonSchema {
  if (schema.properties !== undefined) return relaxedMap(schema);
  // A map of any names: the variables, which hold texts, numbers and so on as they are.
  if (typeof schema.additionalProperties === 'object') {
    return { ...schema, additionalProperties: orNull(schema.additionalProperties) };
  }
  if (schema.type === 'array') return { ...schema, items: relaxedItem(schema.items as JsonSchema) };
  const { description, ...rest } = schema;
  const described = description === undefined ? {} : { description };
  if (isAnyText(rest)) return schema;
  const branches =
    rest.anyOf === undefined ? [rest] : rest.anyOf.map((branch) => relaxedBranch(branch as JsonSchema));
  return { ...described, anyOf: [...branches, withVariable] };
}

function relaxedBranch(schema: JsonSchema): JsonSchema {
  return schema.properties === undefined ? schema : relaxedMap(schema);
}

/** An item of a list: lists are not merged, so a map in one is whole. */
function relaxedItem(schema: JsonSchema): JsonSchema {
  if (schema.properties === undefined) return relaxedValue(schema);
  const properties = Object.entries(schema.properties).map(([key, value]) => [
    key,
    typeof value === 'boolean' ? value : relaxedValue(value),
  ]);
  return { ...schema, properties: Object.fromEntries(properties) };
}

/** Whether a schema takes texts with variables already. */
function isAnyText(schema: JsonSchema): boolean {
  return schema.type === 'string' && schema.pattern === undefined && schema.enum === undefined;
}

function orNull(schema: JsonSchema): JsonSchema {
  const { description, ...rest } = schema;
  const described = description === undefined ? {} : { description };
  const branches = schema.anyOf === undefined || Object.keys(rest).length > 1 ? [rest] : rest.anyOf;
  return { ...described, anyOf: [...(branches ?? []), { type: 'null' }] };
}
