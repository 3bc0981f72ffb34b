#include "adapter.h"

#include <string.h>

static const struct adapter table[] = {
    { "webhook", ADAPTER_STATUS | ADAPTER_SIGNED_RECEIPT, webhook_adapter_send, webhook_adapter_status,
        webhook_adapter_orders },
};

const struct adapter *adapter_find(const char *name) {
    for (size_t i = 0; i < CHOP_COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}
