/* SPDX-License-Identifier: Apache-2.0 */
/* The risk notices (BK-10.2.2c). A text that changes gets a new version: records name it. */
#include "api/api.h"
#include "api/apis.h"
#include "consent/consent.h"

static const struct consent_risk funds = {
    .version = "risk-1",
    .en = "I know that this lets the app start payments or purchases in my name, that they may "
          "not be undone, and that I can withdraw the consent at any time.",
    .zh = "我已知悉：同意后该应用可以我的名义发起支付或购买，可能无法撤销；我可随时撤回授权。",
};

static const struct consent_risk call = {
    .version = "risk-call-1",
    .en = "I have read what is above and want it. It will be carried out at once and may not be "
          "undone; nobody who asks me to confirm by telephone or message has a right to.",
    .zh =
        "我已核对以上内容，确为本人意愿。确认后将立即执行，可能无法撤销；任何人以电话或短信要求我确"
        "认均不可信。",
};

const struct consent_risk *consent_risk_of_call(const json_t *api)
{
    return protection_moves_money(api) ? &call : NULL;
}

const struct consent_risk *consent_risk_of(const json_t *api)
{
    return protection_moves_money(api) ? &funds : NULL;
}
