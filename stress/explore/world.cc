#include "stress/explore/world.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace locklab::explore {
namespace {

constexpr uint8_t kRoot = 1;

template <typename T, size_t kSize>
char* Append(char* to, const std::array<T, kSize>& from, size_t count) {
  std::memcpy(to, from.data(), count * sizeof(T));
  return to + count * sizeof(T);
}

template <typename T, size_t kSize>
const char* Take(const char* from, std::array<T, kSize>* to, size_t count) {
  std::memcpy(to->data(), from, count * sizeof(T));
  std::fill(to->begin() + static_cast<ptrdiff_t>(count), to->end(), T{});
  return from + count * sizeof(T);
}

}  // namespace

World EmptyWorld() {
  World world;
  world.inodes[kRoot] = {.type = Type::kDirectory, .nlink = 2};
  world.inodes_in_use = kRoot + 1;
  return world;
}

uint32_t Worlds::Id(const World& world) {
  char buffer[sizeof(World)];
  char* at = buffer;
  *at++ = static_cast<char>(world.inodes_in_use);
  *at++ = static_cast<char>(world.entries_in_use);
  *at++ = static_cast<char>(world.files_in_use);
  *at++ = static_cast<char>(world.looks_in_use);
  at = Append(at, world.spent, world.spent.size());
  at = Append(at, world.boots, world.boots.size());
  at = Append(at, world.processes, world.processes.size());
  at = Append(at, world.inodes, world.inodes_in_use);
  at = Append(at, world.entries, world.entries_in_use);
  at = Append(at, world.files, world.files_in_use);
  at = Append(at, world.looks, world.looks_in_use);
  return packed_.Id({buffer, static_cast<size_t>(at - buffer)});
}

void Worlds::Get(uint32_t id, World* world) const {
  const char* at = packed_.Text(id).data();
  world->inodes_in_use = static_cast<uint8_t>(*at++);
  world->entries_in_use = static_cast<uint8_t>(*at++);
  world->files_in_use = static_cast<uint8_t>(*at++);
  world->looks_in_use = static_cast<uint8_t>(*at++);
  at = Take(at, &world->spent, world->spent.size());
  at = Take(at, &world->boots, world->boots.size());
  at = Take(at, &world->processes, world->processes.size());
  at = Take(at, &world->inodes, world->inodes_in_use);
  at = Take(at, &world->entries, world->entries_in_use);
  at = Take(at, &world->files, world->files_in_use);
  (void)Take(at, &world->looks, world->looks_in_use);
}

}  // namespace locklab::explore
