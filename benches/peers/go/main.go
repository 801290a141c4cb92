// Go's net/http: hello and files. Pinned to one core it runs with GOMAXPROCS=1.
package main

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
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

var event = []byte("data: " + strings.Repeat("x", 92) + "\n\n")

var streams = struct {
	sync.Mutex
	all map[chan []byte]bool
}{all: map[chan []byte]bool{}}

func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := w.(http.Flusher)
	flusher.Flush()
	stream := make(chan []byte, 16)
	streams.Lock()
	streams.all[stream] = true
	streams.Unlock()
	defer func() {
		streams.Lock()
		delete(streams.all, stream)
		streams.Unlock()
	}()
	for {
		select {
		case event := <-stream:
			if _, err := w.Write(event); err != nil {
				return
			}
			flusher.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func say(w http.ResponseWriter, r *http.Request) {
	streams.Lock()
	for stream := range streams.all {
		stream <- event
	}
	streams.Unlock()
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
		http.HandleFunc("/events", events)
		http.HandleFunc("/say", say)
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
