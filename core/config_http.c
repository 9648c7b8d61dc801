/*
 * config_http.c - the section "http": where the relay can be looked at
 * SPDX-License-Identifier: MIT
 */
#include "config_http.h"
#include "config_schema.h"
#include "http/listen.h"

void config_http_resolve(struct checker *checker, const json_t *document, struct config *config)
{
    const struct json_path path = {NULL, "http", 0}, listen_path = {&path, "listen", 0};
    const json_t *object = section_child(checker, NULL, document, "http");
    const struct outbox_settings *http =
        section_check(checker, &path, object, config_section(SECTION_HTTP));
    struct listen_address address;

    if (!http)
        return;
    config->stall_after = outbox_setting_integer(http, "stall_after", 0);
    if (!object)
        return; /* without the section nothing listens */
    config->is_observed = true;
    config->http_listen = outbox_setting_text(http, "listen", "");
    if (!listen_parse(config->http_listen, &address))
        (void)mistake(checker, &listen_path,
                      "found no address to listen at, allowed is \"HOST:PORT\", \"[IPV6]:PORT\" or "
                      "\":PORT\" for every address of this machine, with a port from 0 to 65535");
}
