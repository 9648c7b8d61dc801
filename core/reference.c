/*
 * reference.c - the configuration's reference page, out of the tables that check it
 * SPDX-License-Identifier: MIT
 */
#include "reference.h"
#include "config_schema.h"
#include "config_value.h"
#include "plugin_check.h"

#include <string.h>

#define RANGE_TEXT 256

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "<!-- Generated from the tables in core/ and of the drivers; do not edit. -->\n"
    "\n"
    "The configuration is one JSON file: `-c FILE`, else `$OUTBOX_CONFIG`, else\n"
    "`/etc/outbox/relay.json`. Only a pipeline's name, its two drivers and their addresses have\n"
    "to be there.\n"
    "\n"
    "```json\n"
    "{ \"pipelines\": [ {\n"
    "    \"name\": \"orders\",\n"
    "    \"store\": { \"driver\": \"STORE\", \"url\": \"STORE://app:${DB_PASSWORD}@db/app\" },\n"
    "    \"publisher\": { \"driver\": \"PUBLISHER\" } } ] }\n"
    "```\n"
    "\n"
    "STORE and PUBLISHER are names of the drivers further down this page.\n"
    "\n"
    "`outbox-relay check` finds every mistake in the file and says for each where it is, what was\n"
    "found and what is allowed. A key that is not on this page is a mistake.\n"
    "\n"
    "## Values\n"
    "\n"
    "- **Durations** are a whole number and a unit, in quotes: `\"5ms\"` `\"1s\"` `\"3m\"` "
    "`\"24h\"`\n"
    "  `\"7d\"`, also `us` and `ns`.\n"
    "- **Sizes** are `\"512KiB\"`, `\"1MiB\"`, `\"2GiB\"`, `\"1TiB\"`, or plain bytes: `65536`.\n"
    "- **Variables**: in any text `${VAR}` stands for an environment variable, which must be set,\n"
    "  and `${VAR:-default}` for the default where it is unset or empty. `$${` is a plain `${`.\n"
    "  For a number or boolean write the reference in quotes: `\"batch_size\": "
    "\"${BATCH:-500}\"`.\n"
    "- **Secrets**: a text key marked *secret*, and each value of a map marked so, may be given "
    "as\n"
    "  `{\"file\": PATH}` instead. The file is read when the configuration is, without the "
    "newline\n"
    "  at its end. No message, log or output ever shows a secret.\n"
    "- **`--set PATH=VALUE`** on the command line overrides a key of the file:\n"
    "  `--set pipelines.0.claim.batch_size=100`. The value counts as JSON if it is JSON, else as\n"
    "  text. Objects that are missing are made; the index after an array's last one appends. A "
    "dot\n"
    "  within a key is written `\\.`.\n";

/* Text inside a table's cell: a bar would end the cell. */
static void write_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            (void)fputc('\\', out);
        (void)fputc(*text == '\n' ? ' ' : *text, out);
    }
}

static void write_default(FILE *out, const struct outbox_option *option)
{
    if (option->flags & OUTBOX_OPTION_REQUIRED) {
        (void)fputs("**required**", out);
        return;
    }
    if (!option->default_value)
        return;
    bool quoted = option_type_quoted(option->type);
    (void)fputs(quoted ? "`\"" : "`", out);
    write_cell(out, option->default_value);
    (void)fputs(quoted ? "\"`" : "`", out);
}

static void write_option(FILE *out, const struct outbox_option *option)
{
    char range[RANGE_TEXT];
    (void)fprintf(out, "| `%s` | %s%s | ", option->name, option_type_text(option->type),
                  option->flags & OUTBOX_OPTION_SECRET ? ", *secret*" : "");
    write_default(out, option);
    (void)fputs(" | ", out);
    write_cell(out, option_range_text(option, range, sizeof range));
    (void)fputs(" | ", out);
    write_cell(out, option->help);
    (void)fputs(" |\n", out);
}

static void write_options(FILE *out, const struct outbox_option *options, uint64_t option_size,
                          uint64_t count)
{
    const struct outbox_plugin table = {.options = options, .option_size = option_size};
    if (count == 0)
        return;
    (void)fputs("\n| Key | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n", out);
    for (uint64_t i = 0; i < count; i++)
        write_option(out, plugin_option(&table, i));
}

static void write_properties(FILE *out, const struct outbox_plugin *plugin)
{
    if (plugin->property_count == 0)
        return;
    (void)fputs("\nProperties of a message, for `route.properties`:\n"
                "\n| Property | Meaning |\n|---|---|\n",
                out);
    for (uint64_t i = 0; i < plugin->property_count; i++) {
        const struct outbox_option *property = plugin_property(plugin, i);
        (void)fprintf(out, "| `%s` | ", property->name);
        write_cell(out, property->help);
        (void)fputs(" |\n", out);
    }
}

static void write_section(FILE *out, const struct config_section *section)
{
    if (!*section->path)
        return;
    (void)fprintf(out, "\n## `%s`\n\n%s\n", section->path, section->help);
    write_options(out, section->options, section->option_size, section->option_count);
}

static void write_modes(FILE *out, const struct outbox_plugin *plugin)
{
    char modes[64] = "";
    if (plugin->kind != OUTBOX_KIND_STORE)
        return;
    if (plugin->capabilities & OUTBOX_STORE_LEASE)
        list_append(modes, sizeof modes, "`lease`");
    if (plugin->capabilities & OUTBOX_STORE_HOLD)
        list_append(modes, sizeof modes, "`hold`");
    if (*modes)
        (void)fprintf(out, "\nClaim modes: %s.\n", modes);
}

static void write_driver(FILE *out, const struct outbox_plugin *plugin)
{
    (void)fprintf(out, "\n### `%s`: `\"driver\": \"%s\"`\n\n%s\n", plugin_kind_text(plugin->kind),
                  plugin->name, plugin->description);
    write_modes(out, plugin);
    write_options(out, plugin->options, plugin->option_size, plugin->option_count);
    write_properties(out, plugin);
}

void reference_write(FILE *out, struct plugins *plugins)
{
    size_t count = 0;
    const struct plugin_file *files = plugins_all(plugins, &count);
    (void)fputs(introduction, out);
    for (int id = SECTION_ROOT; id < SECTION_COUNT; id++)
        write_section(out, config_section((enum config_section_id)id));
    (void)fputs("\n## `pipelines[].store` and `pipelines[].publisher`\n"
                "\n"
                "Each names its driver by the key `driver`; its other keys are those of that\n"
                "driver. `outbox-relay plugins` lists the drivers that are installed.\n",
                out);
    for (size_t i = 0; i < count; i++) {
        if (files[i].plugin)
            write_driver(out, files[i].plugin);
    }
}
