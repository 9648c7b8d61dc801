/*
 * trouble.c - what the client library last complained of, and whether the broker is there
 * SPDX-License-Identifier: MIT
 */
#include "trouble.h"

bool trouble_init(struct trouble *trouble, const struct outbox_host *host)
{
    *trouble = (struct trouble){.host = host};
    return pthread_mutex_init(&trouble->lock, NULL) == 0;
}

void trouble_clear(struct trouble *trouble)
{
    (void)pthread_mutex_destroy(&trouble->lock);
}

static bool is_refusal(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
           code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM ||
           code == RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE;
}

/* "1/1 brokers are down" tells less than why they are. */
static bool tells_more(const struct trouble *trouble, rd_kafka_resp_err_t code)
{
    return code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || trouble->text[0] == '\0';
}

void trouble_note(struct trouble *trouble, rd_kafka_resp_err_t code, const char *text)
{
    int64_t now = trouble->host->now(trouble->host);
    (void)pthread_mutex_lock(&trouble->lock);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        trouble->gone_since = now;
    if (tells_more(trouble, code)) {
        trouble->code = code;
        trouble->at = now;
        (void)snprintf(trouble->text, sizeof(trouble->text), "%s", text ? text : "");
    }
    (void)pthread_mutex_unlock(&trouble->lock);
}

void trouble_down(struct trouble *trouble)
{
    char text[TROUBLE_TEXT];
    (void)pthread_mutex_lock(&trouble->lock);
    bool is_new = !trouble->is_down;
    trouble->is_down = true;
    (void)snprintf(text, sizeof(text), "%s", trouble->text);
    (void)pthread_mutex_unlock(&trouble->lock);
    if (is_new)
        outbox_log(trouble->host, OUTBOX_LOG_WARN, "no broker can be reached: %s",
                   text[0] ? text : "no answer");
}

void trouble_over(struct trouble *trouble)
{
    (void)pthread_mutex_lock(&trouble->lock);
    bool is_news = trouble->is_down;
    trouble->is_down = false;
    trouble->gone_since = 0;
    trouble->code = RD_KAFKA_RESP_ERR_NO_ERROR;
    trouble->text[0] = '\0';
    (void)pthread_mutex_unlock(&trouble->lock);
    if (is_news)
        outbox_log(trouble->host, OUTBOX_LOG_INFO, "the broker can be reached again");
}

int64_t trouble_gone_since(struct trouble *trouble)
{
    (void)pthread_mutex_lock(&trouble->lock);
    int64_t since = trouble->gone_since;
    (void)pthread_mutex_unlock(&trouble->lock);
    return since;
}

bool trouble_is_refusal(struct trouble *trouble, int64_t since)
{
    (void)pthread_mutex_lock(&trouble->lock);
    bool is_found = is_refusal(trouble->code) && trouble->at >= since;
    (void)pthread_mutex_unlock(&trouble->lock);
    return is_found;
}

void trouble_append(struct trouble *trouble, char *text, size_t size)
{
    size_t len = strlen(text);
    (void)pthread_mutex_lock(&trouble->lock);
    if (trouble->text[0] != '\0')
        (void)snprintf(text + len, size - len, "; last error: %s", trouble->text);
    (void)pthread_mutex_unlock(&trouble->lock);
}
