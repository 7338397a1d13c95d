/* A program in C whose Go part asks for the time (asks_in_archive.go). */
extern void AsksInGo(int times);

int main(void) {
  AsksInGo(40000);
  return 0;
}
