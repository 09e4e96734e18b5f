import paho.mqtt.client as mqtt
import ssl
import time

# --- 設定 ---
BROKER_ADDRESS = "localhost"
BROKER_PORT = 8883
SERVICE_ID = "cloud-service-backend"
TARGET_DEVICE_ID = "iot-hub-001" # 要控制的目標設備

# --- 憑證路徑 (請替換成您自己的路徑) ---
CA_CERT_PATH = "/path/to/your/certs/ca.crt"
CLIENT_CERT_PATH = "/path/to/your/certs/cloud_client.crt"
CLIENT_KEY_PATH = "/path/to/your/certs/cloud_client.key"

# --- 主題 (Topics) ---
TOPIC_DATA = f"devices/{TARGET_DEVICE_ID}/data"
TOPIC_COMMAND = f"devices/{TARGET_DEVICE_ID}/command"

def on_connect(client, userdata, flags, rc):
    if rc == 0:
        print("雲端服務成功連線到 MQTT Broker!")
        client.subscribe(TOPIC_DATA)
        print(f"已訂閱主題: {TOPIC_DATA}")
    else:
        print(f"連線失敗，返回碼: {rc}")

def on_message(client, userdata, msg):
    print(f"收到來自 '{msg.topic}' 的資料: {msg.payload.decode()}")
    # 在這裡處理收到的資料，例如存入資料庫或進行分析

def setup_tls_context():
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=CA_CERT_PATH)
    context.load_cert_chain(certfile=CLIENT_CERT_PATH, keyfile=CLIENT_KEY_PATH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

def main():
    client = mqtt.Client(client_id=SERVICE_ID)
    client.on_connect = on_connect
    client.on_message = on_message

    tls_context = setup_tls_context()
    client.tls_set_context(tls_context)

    print("雲端服務正在連線到 MQTT Broker...")
    client.connect(BROKER_ADDRESS, BROKER_PORT)

    client.loop_start()

    # 模擬每 30 秒發送一次開燈指令
    try:
        while True:
            time.sleep(30)
            command = "TURN_LIGHT_ON"
            
            # 發布的指令也透過 TLS 加密，符合 5.5-5 (安全相關變更需認證)
            client.publish(TOPIC_COMMAND, command)
            print(f"發送指令: {command}")
            
    except KeyboardInterrupt:
        print("程式結束")
        client.loop_stop()
        client.disconnect()

if __name__ == "__main__":
    main()
