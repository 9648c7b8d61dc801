/*
 * json_settings.h - settings of any driver from JSON, as the relay would check them
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_JSON_SETTINGS_H
#define TESTS_JSON_SETTINGS_H

#include <outbox/plugin.h>

/* What a driver's open() gets. */
struct json_settings;

/* The defaults of the driver's table with the members of the JSON object `text` laid over. The
 * member "driver" is passed over. Fails the test where the table does not know a key, or a value is
 * of the wrong type: the caller has made them. */
struct json_settings *json_settings_new(const struct outbox_plugin *plugin, const char *text);
void json_settings_free(struct json_settings **settings);
const struct outbox_settings *json_settings_view(const struct json_settings *settings);

#endif
