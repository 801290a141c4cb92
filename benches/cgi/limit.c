/* The limit: accepts, starts the program with posix_spawn, sends its output. Parses nothing. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) return 1;
    char *environment[] = {"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", NULL};
    char *arguments[] = {argv[2], NULL};
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        char head[4096], answer[65536];
        if (read(client, head, sizeof head) > 0) {
            int out[2];
            if (pipe2(out, O_CLOEXEC)) return 1;
            posix_spawn_file_actions_t actions;
            posix_spawn_file_actions_init(&actions);
            posix_spawn_file_actions_adddup2(&actions, out[1], 1);
            pid_t child;
            if (posix_spawn(&child, argv[2], &actions, NULL, arguments, environment)) return 1;
            posix_spawn_file_actions_destroy(&actions);
            close(out[1]);
            ssize_t size = snprintf(answer, 64, "HTTP/1.0 200 OK\r\n"), got;
            while ((got = read(out[0], answer + size, sizeof answer - size)) > 0) size += got;
            close(out[0]);
            waitpid(child, NULL, 0);
            if (write(client, answer, size) < 0) perror("write");
        }
        close(client);
    }
}
