// The model filesystems: one row of parameters each.
#ifndef LOCKLAB_STRESS_EXPLORE_MODEL_H_
#define LOCKLAB_STRESS_EXPLORE_MODEL_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace locklab::explore {

struct Model {
  std::string_view name;
  std::string_view doc;      // one line
  std::string_view assumes;  // what a proof in this model rests on
  int64_t magic = 0;         // f_type of statfs(2)
  bool hard_links = true;
  bool symlinks = true;
  bool no_replace = true;  // renameat2(RENAME_NOREPLACE)
  // Every process is on a host of its own: whether another lives is unknown.
  bool many_hosts = false;
  // The kernel's locks of one host are not seen by another.
  bool local_locks = false;
  // A call may be done, its reply lost, and the request be sent again.
  bool lost_replies = false;
  // A look by name may show what an earlier look of this host has shown.
  bool stale_looks = false;
  // A name whose file another has open stays until that is closed, and cannot
  // be opened or made meanwhile.
  bool delete_pending = false;
  // A host may lose its kernel locks while its processes live.
  bool lease_loss = false;
};

// THE TABLE.
[[nodiscard]] std::span<const Model> Models();
// nullptr: there is none such.
[[nodiscard]] const Model* FindModel(std::string_view name);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_MODEL_H_
