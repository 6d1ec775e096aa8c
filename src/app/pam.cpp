#include <security/pam_appl.h>

#include <cstdlib>
#include <cstring>

#include <weir/base/log.h>
#include <weir/base/network.h>

#include "password_check.h"

namespace weir::app {

namespace {

// PAM's questions: the password is the answer to what is not to be shown. PAM frees the answers.
int converse(int count, const pam_message** messages, pam_response** responses, void* password) {
  if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
  auto* out =
      static_cast<pam_response*>(std::calloc(static_cast<size_t>(count), sizeof(pam_response)));
  if (!out) return PAM_BUF_ERR;
  for (int i = 0; i < count; ++i) {
    const int style = messages[i]->msg_style;
    if (style == PAM_PROMPT_ECHO_OFF)
      out[i].resp = strdup(static_cast<const std::string*>(password)->c_str());
    if (style == PAM_ERROR_MSG || style == PAM_TEXT_INFO || out[i].resp) continue;
    for (int k = 0; k < i; ++k) std::free(out[k].resp);
    std::free(out);
    return PAM_CONV_ERR;
  }
  *responses = out;
  return PAM_SUCCESS;
}

// A wrong password holds no thread: auth.brake is what slows down who tries many.
void no_delay(int, unsigned, void*) {}

bool is_no(int status) {
  return status == PAM_AUTH_ERR || status == PAM_USER_UNKNOWN || status == PAM_MAXTRIES ||
         status == PAM_ACCT_EXPIRED || status == PAM_NEW_AUTHTOK_REQD || status == PAM_PERM_DENIED;
}

bool accepts(const std::string& service, const std::string& user, const std::string& peer,
             std::string password) {
  const pam_conv conversation{converse, &password};
  pam_handle_t* handle = nullptr;
  int status = pam_start(service.c_str(), user.c_str(), &conversation, &handle);
  if (status == PAM_SUCCESS) {
    if (const auto address = base::address_of_peer(peer))
      pam_set_item(handle, PAM_RHOST, address->text().c_str());
    pam_set_item(handle, PAM_FAIL_DELAY, reinterpret_cast<const void*>(&no_delay));
    status = pam_authenticate(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
  }
  if (status == PAM_SUCCESS) status = pam_acct_mgmt(handle, PAM_SILENT);
  if (status != PAM_SUCCESS && !is_no(status))
    base::log(base::LogLevel::Warn, "PAM service {} cannot tell whether \"{}\" may log in: {}",
              service, user, pam_strerror(handle, status));
  if (handle) pam_end(handle, status);
  return status == PAM_SUCCESS;
}

}  // namespace

PasswordCheck pam_check(std::string service, std::string user, std::string peer) {
  return [service = std::move(service), user = std::move(user), peer = std::move(peer)](
             const std::string& password) { return accepts(service, user, peer, password); };
}

}  // namespace weir::app
