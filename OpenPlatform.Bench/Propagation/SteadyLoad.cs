using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace OpenPlatform.Bench.Propagation;

/// <summary>
/// Requests at a steady pace from a process of their own, over connections that are open already. A request takes from before its bytes are sent until
/// the last byte of the answer is at this end's socket, by the clock of the kernel: when this process gets a processor to look at it is not in it.
/// </summary>
internal sealed partial class SteadyLoad
{
    public const string Command = "steady-load", Failed = "failed";

    /// <summary>A slow answer holds one of them up, and not the pace.</summary>
    private const int Connections = 16;

    private readonly int _port;
    private readonly byte[][] _requests;
    private readonly double _perSecond;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<LoadSample>> _samples = new(StringComparer.Ordinal);
    private readonly List<string> _failures = [];
    private long _next = -1;
    private volatile string _part = "";
    private volatile bool _isEnding;

    private SteadyLoad(int port, string key, string[] paths, double perSecond)
    {
        (_port, _perSecond) = (port, perSecond);
        _requests = [.. paths.Select(path => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Api-Key: {key}\r\n\r\n"))];
    }

    /// <summary>The child: arguments are port, key, requests a second and paths. A line of its input names the part that what is sent from then on belongs to; an
    /// empty one ends it.</summary>
    public static void Run(string[] args)
    {
        var load = new SteadyLoad(int.Parse(args[0]), args[1], args[3..], double.Parse(args[2]));
        Thread[] threads = [.. Enumerable.Range(0, Connections).Select(_ => new Thread(load.Send, 256 << 10))];
        Array.ForEach(threads, static thread => thread.Start());
        while (Console.ReadLine() is { Length: > 0 } part)
        {
            lock (load._lock)
            {
                load._samples.TryAdd(part, new(1 << 16));
            }

            load._part = part;
            Console.WriteLine(part);
        }

        load._part = "";
        load._isEnding = true;
        Array.ForEach(threads, static thread => thread.Join());
        foreach (var (part, samples) in load._samples)
        {
            Console.WriteLine($"{part} {string.Join(' ', samples.Select(static sample => string.Create(CultureInfo.InvariantCulture, $"{sample.Milliseconds:0.0000} {sample.LateMilliseconds:0.0000}")))}");
        }

        load._failures.ForEach(static failure => Console.WriteLine($"{Failed} {failure}"));
        Console.WriteLine();
    }

    private void Send()
    {
        Answers? answers = null;
        while (!_isEnding)
        {
            // Each has its random moment within its share of the second: no rhythm that the changes could have, too.
            var number = Interlocked.Increment(ref _next);
            var due = (number + Random.Shared.NextDouble()) / _perSecond;
            var wait = due - Stopwatch.GetElapsedTime(_started).TotalSeconds;
            if (wait > 0)
            {
                _ = Sleep((uint)(wait * 1e6));
            }

            var part = _part;
            string? failure = null;
            var late = Stopwatch.GetElapsedTime(_started).TotalSeconds - due;
            DateTime? ended = null;
            var begun = DateTime.UtcNow;
            try
            {
                answers ??= new(_port);
                begun = DateTime.UtcNow;
                (var status, ended) = answers.Ask(_requests[number % _requests.Length]);
                failure = status == 200 ? null : status.ToString(CultureInfo.InvariantCulture);
            }
            catch (Exception e) when (e is SocketException or InvalidDataException)
            {
                failure = e.Message;
                answers?.Dispose();
                answers = null;
            }

            // All connections were waiting for answers when it was due: it waited, too.
            var took = ((ended ?? DateTime.UtcNow) - begun).TotalMilliseconds + (wait < 0 ? -wait * 1000 : 0);
            if (part.Length == 0)
            {
                continue;
            }

            lock (_lock)
            {
                _samples[part].Add(new(took, late * 1000));
                if (failure is not null)
                {
                    _failures.Add($"{part} {failure}");
                }
            }
        }

        answers?.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int Sleep(uint microseconds);
}

/// <summary>One connection, with the times at which its answers came.</summary>
internal sealed unsafe partial class Answers : IDisposable
{
    private const int SolSocket = 1, SoTimestampNs = 35;

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000 };
    private readonly byte[] _buffer = GC.AllocateArray<byte>(16 << 10, pinned: true);
    private readonly byte[] _control = GC.AllocateArray<byte>(256, pinned: true);

    public Answers(int port)
    {
        _socket.Connect(IPAddress.Loopback, port);
        _socket.SetRawSocketOption(SolSocket, SoTimestampNs, BitConverter.GetBytes(1));
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Status, and when the last byte was there.</summary>
    public (int Status, DateTime Ended) Ask(byte[] request)
    {
        _socket.Send(request);
        var (have, ended) = (0, default(DateTime));
        while (true)
        {
            var (read, at) = Receive(_buffer.AsSpan(have));
            if (read <= 0)
            {
                throw new InvalidDataException("The gateway closed the connection.");
            }

            (have, ended) = (have + read, at);
            var head = _buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8);
            if (head >= 0 && have >= head + 4 + LengthOf(_buffer.AsSpan(0, head)))
            {
                return (int.Parse(_buffer.AsSpan(9, 3), CultureInfo.InvariantCulture), ended);
            }
        }
    }

    private static int LengthOf(Span<byte> head)
    {
        var name = "\r\nContent-Length: "u8;
        var at = head.IndexOf(name);
        if (at < 0)
        {
            throw new InvalidDataException("An answer without a length.");
        }

        var value = head[(at + name.Length)..];
        var end = value.IndexOf((byte)'\r');
        return int.Parse(end < 0 ? value : value[..end], CultureInfo.InvariantCulture);
    }

    /// <summary>recvmsg(2): .NET reads no control messages of TCP.</summary>
    private (int Read, DateTime At) Receive(Span<byte> into)
    {
        fixed (byte* bytes = into, control = _control)
        {
            var vector = new Vector { Base = bytes, Length = (nuint)into.Length };
            var message = new Message { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)_control.Length };
            var read = (int)ReceiveMessage((int)_socket.Handle, &message, 0);
            // One control message: length (8), level (4), type (4), seconds (8), nanoseconds (8).
            return message.ControlLength >= 32 && *(int*)(control + 12) == SoTimestampNs
                ? (read, DateTime.UnixEpoch.AddTicks((*(long*)(control + 16) * TimeSpan.TicksPerSecond) + (*(long*)(control + 24) / 100)))
                : (read, DateTime.UtcNow);
        }
    }

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessage(int socket, Message* message, int flags);

    [StructLayout(LayoutKind.Sequential)]
    private struct Vector
    {
        public byte* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Message
    {
        public byte* Name;
        public uint NameLength;
        public Vector* Vectors;
        public nuint VectorCount;
        public byte* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
