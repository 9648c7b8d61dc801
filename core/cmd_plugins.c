/*
 * cmd_plugins.c - `plugins`: the drivers that are there
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "nearest.h"
#include "reference.h"
#include "table.h"

#include <unistd.h>

struct capability_name {
    uint64_t bit;
    const char *name;
};

static const struct capability_name store_capabilities[] = {
    {OUTBOX_STORE_LEASE, "lease"},
    {OUTBOX_STORE_HOLD, "hold"},
    {OUTBOX_STORE_STREAM, "stream"},
    {OUTBOX_STORE_WAKE, "wake"},
    {0, NULL},
};

static const struct capability_name publisher_capabilities[] = {
    {OUTBOX_PUBLISHER_KEEPS_ORDER, "keeps-order"},
    {OUTBOX_PUBLISHER_ATTRIBUTES, "attributes"},
    {0, NULL},
};

static const char *kind_name(uint32_t kind)
{
    return kind == OUTBOX_KIND_STORE ? "store" : "publisher";
}

static const struct capability_name *capabilities_of(uint32_t kind)
{
    return kind == OUTBOX_KIND_STORE ? store_capabilities : publisher_capabilities;
}

static const char *capability_list(const struct outbox_plugin *plugin, char text[96])
{
    size_t length = 0;

    (void)snprintf(text, 96, "-");
    for (const struct capability_name *name = capabilities_of(plugin->kind); name->name; name++)
        if (plugin->capabilities & name->bit)
            length +=
                (size_t)snprintf(text + length, 96 - length, "%s%s", length ? " " : "", name->name);
    return text;
}

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"?",        "text", "bool",   "integer", "number",
                                        "duration", "size", "choice", "map"};
    return names[type < sizeof(names) / sizeof(*names) ? type : 0];
}

static const char *abi_of(const struct outbox_plugin *plugin, char text[32])
{
    (void)snprintf(text, 32, "%u.%u", (unsigned)plugin->abi_major, (unsigned)plugin->abi_minor);
    return text;
}

/* ---- For machines ------------------------------------------------------------------------- */

static json_t *option_json(const struct outbox_option *option)
{
    json_t *entry = json_pack(
        "{s:s, s:s, s:b, s:b, s:s?, s:s?, s:s?}", "name", option->name, "type",
        type_name(option->type), "required", (option->flags & OUTBOX_OPTION_REQUIRED) != 0,
        "secret", (option->flags & OUTBOX_OPTION_SECRET) != 0, "default", option->default_value,
        "choices", option->choices, "help", option->help);
    if (entry && (option->minimum != 0 || option->maximum != 0)) {
        (void)json_object_set_new(entry, "minimum", json_real(option->minimum));
        (void)json_object_set_new(entry, "maximum", json_real(option->maximum));
    }
    return entry;
}

static json_t *plugin_json(const struct plugin_file *file)
{
    const struct outbox_plugin *plugin = file->plugin;
    json_t *entry = json_pack("{s:s, s:o, s:o}", "kind", kind_name(file->kind), "name",
                              cli_json_text(file->name), "path", cli_json_text(file->path));

    if (!entry || !plugin) {
        if (entry)
            (void)json_object_set_new(entry, "refusal", cli_json_text(file->refusal));
        return entry;
    }
    json_t *capabilities = json_array(), *options = json_array(), *properties = json_array();
    char abi[32];
    for (const struct capability_name *name = capabilities_of(plugin->kind); name->name; name++)
        if (plugin->capabilities & name->bit)
            (void)json_array_append_new(capabilities, json_string(name->name));
    for (size_t i = 0; i < plugin->option_count; i++)
        (void)json_array_append_new(options, option_json(plugin_option(plugin, i)));
    (void)json_object_set_new(entry, "version", cli_json_text(plugin->version));
    (void)json_object_set_new(entry, "abi", json_string(abi_of(plugin, abi)));
    (void)json_object_set_new(entry, "description", cli_json_text(plugin->description));
    (void)json_object_set_new(entry, "capabilities", capabilities);
    (void)json_object_set_new(entry, "options", options);
    for (size_t i = 0; i < plugin->property_count; i++) {
        const struct outbox_option *property = plugin_property(plugin, i);
        (void)json_array_append_new(properties,
                                    json_pack("{s:o, s:o}", "name", cli_json_text(property->name),
                                              "help", cli_json_text(property->help)));
    }
    (void)json_object_set_new(entry, "properties", properties);
    return entry;
}

static int print_json(const struct plugin_file *files, size_t count, const char *name)
{
    json_t *plugins = json_array();

    for (size_t i = 0; i < count; i++)
        if (!name || strcmp(files[i].name, name) == 0)
            (void)json_array_append_new(plugins, plugin_json(&files[i]));
    return cli_print_json(json_pack("{s:o}", "plugins", plugins));
}

/* ---- For people --------------------------------------------------------------------------- */

static int print_table(struct table *table)
{
    bool printed = table && table_print(table, stdout);

    table_free(&table);
    if (printed)
        return CLI_DONE;
    cli_error("out of memory for the table");
    return CLI_FAILED;
}

static int print_list(const struct plugin_file *files, size_t count)
{
    static const struct table_column columns[] = {{"KIND", false},    {"NAME", false},
                                                  {"VERSION", false}, {"ABI", false},
                                                  {"CAN", false},     {"PATH", false}};
    struct table *table = table_new(columns, sizeof(columns) / sizeof(*columns));
    char abi[32], capabilities[96];

    for (size_t i = 0; table && i < count; i++) {
        const struct outbox_plugin *plugin = files[i].plugin;
        table_cell(table, kind_name(files[i].kind));
        table_cell(table, files[i].name);
        table_cell(table, plugin ? plugin->version : NULL);
        table_cell(table, plugin ? abi_of(plugin, abi) : NULL);
        table_cell(table, plugin ? capability_list(plugin, capabilities) : "refused");
        table_cell(table, files[i].path);
    }
    int status = print_table(table);
    for (size_t i = 0; i < count; i++)
        if (!files[i].plugin)
            (void)printf("refused: %s: %s\n", files[i].path, files[i].refusal);
    return status;
}

static int print_options(const struct outbox_plugin *plugin)
{
    static const struct table_column columns[] = {
        {"KEY", false}, {"TYPE", false}, {"DEFAULT", false}, {"ABOUT", false}};
    struct table *table = table_new(columns, sizeof(columns) / sizeof(*columns));

    for (size_t i = 0; table && i < plugin->option_count; i++) {
        const struct outbox_option *option = plugin_option(plugin, i);
        bool required = option->flags & OUTBOX_OPTION_REQUIRED;
        char about[512];
        (void)snprintf(about, sizeof(about), "%s%s", option->help,
                       option->flags & OUTBOX_OPTION_SECRET ? " Secret." : "");
        table_cell(table, option->name);
        table_cell(table, option->choices ? option->choices : type_name(option->type));
        table_cell(table, required ? "(required)" : option->default_value);
        table_cell(table, about);
    }
    return print_table(table);
}

static int print_properties(const struct outbox_plugin *plugin)
{
    static const struct table_column columns[] = {{"PROPERTY", false}, {"ABOUT", false}};
    struct table *table;

    if (plugin->property_count == 0)
        return CLI_DONE;
    (void)printf("\n");
    table = table_new(columns, sizeof(columns) / sizeof(*columns));
    for (size_t i = 0; table && i < plugin->property_count; i++) {
        table_cell(table, plugin_property(plugin, i)->name);
        table_cell(table, plugin_property(plugin, i)->help);
    }
    return print_table(table);
}

static int print_details(const struct plugin_file *file)
{
    const struct outbox_plugin *plugin = file->plugin;
    char abi[32], capabilities[96];

    if (!plugin) {
        (void)printf("%s %s\n  path     %s\n  refused  %s\n", kind_name(file->kind), file->name,
                     file->path, file->refusal);
        return CLI_FAILED;
    }
    (void)printf("%s %s: %s\n", kind_name(file->kind), file->name, plugin->description);
    (void)printf("  version  %s\n  ABI      %s\n  can      %s\n  path     %s\n\n", plugin->version,
                 abi_of(plugin, abi), capability_list(plugin, capabilities), file->path);
    int status = print_options(plugin);
    return status == CLI_DONE ? print_properties(plugin) : status;
}

/* A name may be that of a store and of a publisher. */
static int print_named(const struct plugin_file *files, size_t count, const char *name)
{
    int status = CLI_DONE;
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(files[i].name, name) != 0)
            continue;
        if (!first)
            (void)putchar('\n');
        first = false;
        int one = print_details(&files[i]);
        status = one > status ? one : status;
    }
    return status;
}

static int refuse_name(const struct cli *cli, const struct plugin_file *files, size_t count)
{
    struct nearest nearest;

    nearest_init(&nearest, cli->argument);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, files[i].name);
    if (nearest.best)
        return cli_usage_error(cli, "no driver is called '%s'; did you mean '%s'?", cli->argument,
                               nearest.best);
    return cli_usage_error(cli, "no driver is called '%s'; 'outbox-relay plugins' lists them",
                           cli->argument);
}

static bool is_found(const struct plugin_file *files, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(files[i].name, name) == 0)
            return true;
    return false;
}

/* The file is read for its relay.plugin_path alone: a driver is looked for here just when the rest
 * does not check. */
static void add_folders_of_file(const struct cli *cli, struct plugins *plugins)
{
    struct config_source source = cli_source(cli);
    struct mistakes mistakes = {0};

    if (!cli->config_chosen && access(cli->config_path, R_OK) != 0)
        return;
    struct config *config = config_load(&source, plugins, &mistakes);
    if (!config)
        cli_error("%s has mistakes, which 'outbox-relay check' lists; drivers of its "
                  "relay.plugin_path may be missing here",
                  cli->config_path);
    config_free(&config);
    mistakes_clear(&mistakes);
}

static int run(struct cli *cli)
{
    struct plugins *plugins = plugins_new();
    size_t count;
    int status;

    if (!plugins) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    add_folders_of_file(cli, plugins);
    const struct plugin_file *files = plugins_all(plugins, &count);
    if (cli_has(cli, "reference")) {
        reference_write(stdout, plugins);
        status = CLI_DONE;
    } else if (cli->argument && !is_found(files, count, cli->argument)) {
        status = refuse_name(cli, files, count);
    } else if (cli->json) {
        status = print_json(files, count, cli->argument);
    } else if (cli->argument) {
        status = print_named(files, count, cli->argument);
    } else {
        status = print_list(files, count);
    }
    plugins_free(&plugins);
    return status;
}

static const struct cli_flag flags[] = {
    {"reference", NULL, false, "print the reference of all configuration keys, as Markdown"},
    {0},
};

const struct cli_command command_plugins = {
    .name = "plugins",
    .summary = "list the drivers, or show one with its keys",
    .argument = "[NAME]",
    .about =
        "Lists the drivers found, with path, version, ABI and capabilities, and those refused,\n"
        "with the reason. With NAME shows that driver's configuration keys.",
    .example = "  outbox-relay plugins\n"
               "  outbox-relay plugins NAME --json",
    .common = CLI_CONFIG | CLI_JSON,
    .flags = flags,
    .run = run,
};
