#include "conformance/proc/exec.h"

#include <unistd.h>

#include <filesystem>

namespace locklab::proc {

void Exec(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) {
    words.push_back(const_cast<char*>(word.c_str()));  // exec does not write
  }
  words.push_back(nullptr);
  execvp(words[0], words.data());
}

std::string ThisProgram() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

}  // namespace locklab::proc
