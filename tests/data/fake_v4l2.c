/* A V4L2 camera made of air: LD_PRELOAD answers the ioctls of one ordinary file like a UVC driver.
 *
 * What it stands for: the kernel driver. FFmpeg's v4l2 input and all above it are the real ones.
 *
 *   FAKE_V4L2        the file that is the camera; its memory is what the buffers are mapped to
 *   FAKE_V4L2_JPEG   one JPEG file, sent as every MJPEG frame; without it the camera has no MJPEG
 *   FAKE_V4L2_FILM   many JPEG files, each after its length in four bytes (this machine's order): one a frame,
 *                    from the first again at the end; in place of FAKE_V4L2_JPEG
 *   FAKE_V4L2_RAW    fourcc of the raw format, YUYV (default) or GREY
 *   FAKE_V4L2_FPS    the highest rate; a higher one that is asked for is lowered to it (default 200)
 *   FAKE_V4L2_BUSY   1: setting the format answers EBUSY, as while another program streams
 *   FAKE_V4L2_DENIED 1: asking for its abilities answers EACCES
 *   FAKE_V4L2_SKIP   n: no frame n (a lost USB transfer); its time passes
 *   FAKE_V4L2_BROKEN n: frame n comes, but marked as damaged
 *   FAKE_V4L2_STALL  n: nothing after the first n frames
 *   FAKE_V4L2_GONE   n: ENODEV after the first n frames, as when it is unplugged
 *   FAKE_V4L2_CABLE  a file: ENODEV once it is not there any more
 *
 * It always runs at 640x480, whatever size is asked for: drivers may.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 640
#define HEIGHT 480
#define SLOT (WIDTH * HEIGHT * 2)
#define SLOTS 32

static unsigned int format, queued[SLOTS], head, tail, numerator = 1, denominator = 30, streaming;
static long sequence;
static long long started_us;

static long number(const char *name, long fallback)
{
    const char *value = getenv(name);
    return value ? atol(value) : fallback;
}

static unsigned int raw_format(void)
{
    const char *name = getenv("FAKE_V4L2_RAW");
    return name && !strcmp(name, "GREY") ? V4L2_PIX_FMT_GREY : V4L2_PIX_FMT_YUYV;
}

static int is_camera(int fd)
{
    struct stat camera, this;
    const char *path = getenv("FAKE_V4L2");
    return path && !stat(path, &camera) && !fstat(fd, &this) && camera.st_ino == this.st_ino &&
           camera.st_dev == this.st_dev;
}

static long long now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static int refuse(int code)
{
    errno = code;
    return -1;
}

static void describe(struct v4l2_format *f)
{
    struct v4l2_pix_format *pix = &f->fmt.pix;
    pix->width = WIDTH;
    pix->height = HEIGHT;
    pix->pixelformat = format;
    pix->field = V4L2_FIELD_NONE;
    pix->bytesperline = format == V4L2_PIX_FMT_YUYV ? 2 * WIDTH : format == V4L2_PIX_FMT_GREY ? WIDTH : 0;
    pix->sizeimage = pix->bytesperline ? pix->bytesperline * HEIGHT : SLOT;
}

static int has_mjpeg(void)
{
    return getenv("FAKE_V4L2_JPEG") || getenv("FAKE_V4L2_FILM");
}

static int set_format(struct v4l2_format *f)
{
    unsigned int asked = f->fmt.pix.pixelformat;
    if (number("FAKE_V4L2_BUSY", 0))
        return refuse(EBUSY);
    format = asked == V4L2_PIX_FMT_MJPEG && has_mjpeg() ? asked : raw_format();
    describe(f);
    return 0;
}

static int enumerate(struct v4l2_fmtdesc *d)
{
    unsigned int all[2] = {raw_format(), V4L2_PIX_FMT_MJPEG};
    if (d->index >= (has_mjpeg() ? 2 : 1))
        return refuse(EINVAL);
    d->pixelformat = all[d->index];
    d->flags = d->index ? V4L2_FMT_FLAG_COMPRESSED : 0;
    return 0;
}

static int rate(struct v4l2_streamparm *p, int set)
{
    struct v4l2_fract *t = &p->parm.capture.timeperframe;
    long most = number("FAKE_V4L2_FPS", 200);
    if (set && t->numerator && t->denominator) {
        numerator = t->numerator;
        denominator = t->denominator;
        if ((long)denominator > most * (long)numerator)
            numerator = 1, denominator = most;
    }
    p->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    t->numerator = numerator;
    t->denominator = denominator;
    return 0;
}

/* The frame that is due: frames that nobody fetched are passed over, as in a camera. */
static size_t film(const char *path, unsigned char *slot)
{
    static FILE *file;
    static long next;
    unsigned int size = 0;
    if (!file)
        file = fopen(path, "rb");
    if (sequence < next)
        next = 0, rewind(file);
    while (next <= sequence) {
        if (fread(&size, 4, 1, file) != 1) {
            rewind(file);
            continue;
        }
        if (next++ < sequence)
            fseek(file, size, SEEK_CUR);
        else
            size = fread(slot, 1, size, file);
    }
    return size;
}

static size_t draw(unsigned char *slot)
{
    const char *path = getenv("FAKE_V4L2_JPEG");
    size_t size = format == V4L2_PIX_FMT_GREY ? WIDTH * HEIGHT : SLOT;
    if (format == V4L2_PIX_FMT_MJPEG && getenv("FAKE_V4L2_FILM"))
        return film(getenv("FAKE_V4L2_FILM"), slot);
    if (format != V4L2_PIX_FMT_MJPEG) {
        memset(slot, (int)(sequence % 200) + 16, size);
        return size;
    }
    FILE *file = fopen(path, "rb");
    size = fread(slot, 1, SLOT, file);
    fclose(file);
    return size;
}

static long long due_us(long frame)
{
    return started_us + (frame + 1) * 1000000LL * numerator / denominator;
}

/* Nobody read for long: the oldest frames fill all slots, those after them are lost. */
static void overflow(void)
{
    static int old;
    if (old && --old == 0)
        while (due_us(sequence + 1) < now_us())
            sequence++;
    else if (!old && due_us(sequence + SLOTS) < now_us())
        old = SLOTS;
}

static int dequeue(int fd, struct v4l2_buffer *b)
{
    const char *cable = getenv("FAKE_V4L2_CABLE");
    if (sequence >= number("FAKE_V4L2_GONE", 1L << 40) || (cable && access(cable, F_OK)))
        return refuse(ENODEV);
    if (sequence == number("FAKE_V4L2_SKIP", -1))
        sequence++;
    overflow();
    long long due = due_us(sequence);
    int stalled = sequence >= number("FAKE_V4L2_STALL", 1L << 40);
    while (stalled || now_us() < due || head == tail) {
        if (fcntl(fd, F_GETFL) & O_NONBLOCK)
            return refuse(EAGAIN);
        struct timespec pause = {0, 500000};
        nanosleep(&pause, NULL);
    }
    unsigned int index = queued[head++ % SLOTS];
    unsigned char *slot = mmap(NULL, SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)index * SLOT);
    b->bytesused = draw(slot);
    munmap(slot, SLOT);
    b->index = index;
    b->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    b->flags |= sequence == number("FAKE_V4L2_BROKEN", -1) ? V4L2_BUF_FLAG_ERROR : 0;
    b->sequence = sequence++;
    b->timestamp.tv_sec = due / 1000000;
    b->timestamp.tv_usec = due % 1000000;
    return 0;
}

static int answer(int fd, unsigned long request, void *p)
{
    struct v4l2_capability *cap = p;
    struct v4l2_requestbuffers *req = p;
    struct v4l2_buffer *buffer = p;
    struct v4l2_format *f = p;
    switch (request) {
    case VIDIOC_QUERYCAP:
        if (number("FAKE_V4L2_DENIED", 0))
            return refuse(EACCES);
        memset(cap, 0, sizeof *cap);
        strcpy((char *)cap->card, "camera of air");
        cap->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
        cap->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    case VIDIOC_ENUM_FMT:
        return enumerate(p);
    case VIDIOC_G_INPUT:
        *(int *)p = 0;
        return 0;
    case VIDIOC_ENUMINPUT:
        ((struct v4l2_input *)p)->type = V4L2_INPUT_TYPE_CAMERA;
        return 0;
    case VIDIOC_G_FMT:
        format = format ? format : raw_format();
        describe(f);
        return 0;
    case VIDIOC_S_FMT:
        return set_format(f);
    case VIDIOC_G_PARM:
        return rate(p, 0);
    case VIDIOC_S_PARM:
        return rate(p, 1);
    case VIDIOC_REQBUFS:
        req->count = req->count > SLOTS ? SLOTS : req->count;
        return 0;
    case VIDIOC_QUERYBUF:
        buffer->length = SLOT;
        buffer->m.offset = buffer->index * SLOT;
        return 0;
    case VIDIOC_QBUF:
        queued[tail++ % SLOTS] = buffer->index;
        return 0;
    case VIDIOC_DQBUF:
        return dequeue(fd, p);
    case VIDIOC_STREAMON:
        started_us = now_us();
        sequence = 0;
        streaming = 1;
        return 0;
    case VIDIOC_STREAMOFF:
        head = tail = streaming = 0;
        return 0;
    default:
        return refuse(ENOTTY);
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list list;
    va_start(list, request);
    void *p = va_arg(list, void *);
    va_end(list);
    if (((request >> 8) & 0xff) == 'V' && is_camera(fd))
        return answer(fd, request, p);
    if (!real)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, p);
}
