// Go's net/http: hello and files. Pinned to one core it runs with GOMAXPROCS=1.
package main

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	if r.Method == "POST" {
		length, _ := io.Copy(io.Discard, r.Body)
		io.WriteString(w, strconv.FormatInt(length, 10))
		return
	}
	io.WriteString(w, "Hello, World!")
}

func sleep(w http.ResponseWriter, r *http.Request) {
	micros, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/sleep/"))
	if err != nil {
		micros = 100_000
	}
	time.Sleep(time.Duration(micros) * time.Microsecond)
	hello(w, r)
}

// usage: PROGRAM PORT [DIRECTORY]
func main() {
	if len(os.Args) > 2 {
		http.Handle("/", http.FileServer(http.Dir(os.Args[2])))
	} else {
		http.HandleFunc("/", hello)
		http.HandleFunc("/sleep", sleep)
		http.HandleFunc("/sleep/", sleep)
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
