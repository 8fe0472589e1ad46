"""The smallest honest RTSP camera: one client at a time, H.264 as RTP inside the RTSP connection.

FFmpeg's own RTP packetiser makes the packets; this only speaks RFC 2326's five requests and wraps each
packet as section 10.12 says ('$', channel, length).
"""

import base64
import contextlib
import socket
import struct
import threading
import time
from fractions import Fraction

import av
from clips import HEIGHT, WIDTH, drawn_frame

PASSWORD = "p@ss/w#rd"


class RtspCamera:
    """Serves `count` numbered pictures at `rate`, then closes; again for the next client."""

    def __init__(self, count: int, rate: int, *, login: str = "") -> None:
        self._count, self._rate = count, rate
        self._expected = "Basic " + base64.b64encode(login.encode()).decode() if login else ""
        self._server = socket.create_server(("127.0.0.1", 0))
        self._packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # where FFmpeg's packetiser sends
        self._packets.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = self._server.getsockname()[1]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        self._packets.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:  # closed: the test is over
                return
            gone = contextlib.suppress(ConnectionError)  # the client left
            with gone, client, client.makefile("rb") as lines:
                self._talk(client, lines)

    def _talk(self, client, lines):
        while request := lines.readline().decode().split():
            headers = dict(
                line.split(": ", 1) for line in iter(lambda: lines.readline().decode().strip(), "")
            )
            if self._expected and headers.get("Authorization") != self._expected:
                client.sendall(
                    _answer(headers, ['WWW-Authenticate: Basic realm="camera"'], status="401 No")
                )
                continue
            client.sendall(self._reply(request[0], request[1], headers))
            if request[0] == "PLAY":
                self._play(client)
                return

    def _reply(self, method, url, headers):
        if method == "DESCRIBE":
            sdp = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
                "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
                f"a=framerate:{self._rate}\r\na=control:track\r\n"
            )
            return _answer(headers, [f"Content-Base: {url}/", "Content-Type: application/sdp"], sdp)
        if method == "SETUP":
            return _answer(headers, ["Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"])
        return _answer(headers, ["Session: 1", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"])

    def _play(self, client):
        target = f"rtp://127.0.0.1:{self._packets.getsockname()[1]}?pkt_size=1200"
        began = time.monotonic()
        with av.open(target, "w", format="rtp") as muxer:
            stream = muxer.add_stream("libx264", rate=self._rate)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "16", "g": "10"}
            for number in range(self._count):
                frame = drawn_frame(number, WIDTH, HEIGHT, "yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, self._rate)
                muxer.mux(stream.encode(frame))
                self._forward(client)
                time.sleep(max(0.0, began + (number + 1) / self._rate - time.monotonic()))

    def _forward(self, client):
        self._packets.setblocking(False)
        while True:
            try:
                packet = self._packets.recv(65536)
            except BlockingIOError:
                return
            client.sendall(b"$" + struct.pack(">BH", 0, len(packet)) + packet)


def _answer(headers, more, body="", status="200 OK"):
    lines = [
        f"RTSP/1.0 {status}",
        f"CSeq: {headers['CSeq']}",
        *more,
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()
