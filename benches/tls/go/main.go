// Go's net/http with TLS. Arguments: port, certificate, key, directory.
package main

import (
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello, World!"))
	})
	http.Handle("/", http.FileServer(http.Dir(os.Args[4])))
	server := &http.Server{Addr: "127.0.0.1:" + os.Args[1]}
	panic(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}
